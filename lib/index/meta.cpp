#include "lib/index/meta.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include <nlohmann/json.hpp>

#include <cbir/base/error.hpp>
#include <cbir/base/text.hpp>

namespace cbir {

std::string_view to_string(Metric metric) {
  switch (metric) {
    case Metric::cosine:
      return "cosine";
    case Metric::dot:
      return "dot";
    case Metric::l2:
      return "l2";
  }
  return "";
}

Metric parse_metric(std::string_view name) {
  for (const Metric metric : {Metric::cosine, Metric::dot, Metric::l2})
    if (name == to_string(metric)) return metric;
  throw UsageError(fmt::format("unknown metric '{}'; cosine, dot and l2 are known", name));
}

std::string to_json(const IndexMeta& meta) {
  nlohmann::json object{{"type", meta.type},       {"metric", to_string(meta.metric)},
                        {"dim", meta.dim},         {"normalization", meta.normalization},
                        {"encoder", meta.encoder}, {"fingerprint", meta.fingerprint},
                        {"preset", meta.preset},   {"parameters", meta.parameters}};
  if (!meta.augmentation.empty()) object["augmentation"] = meta.augmentation;
  if (meta.cutoff)
    object["cutoff"] = {
        {"score", meta.cutoff->score}, {"precision", meta.cutoff->precision}, {"recall", meta.cutoff->recall}};
  if (meta.shards)
    object["shards"] = {{"parts", meta.shards->parts},
                        {"of", meta.shards->of},
                        {"items", meta.shards->items},
                        {"list", meta.shards->list}};
  return object.dump();
}

std::uint64_t IndexMeta::parameter(const std::string& key, const std::string& name) const {
  const auto found = parameters.find(key);
  if (found == parameters.end())
    throw DamagedFile(
        fmt::format("{}: damaged index: its description does not say '{}'; build it again", display_path(name), key));
  return found->second;
}

IndexMeta parse_meta(std::string_view json, const std::string& name) {
  IndexMeta meta;
  std::string metric;
  try {
    const nlohmann::json object = nlohmann::json::parse(json);
    object.at("type").get_to(meta.type);
    object.at("metric").get_to(metric);
    object.at("dim").get_to(meta.dim);
    object.at("normalization").get_to(meta.normalization);
    object.at("encoder").get_to(meta.encoder);
    object.at("fingerprint").get_to(meta.fingerprint);
    object.at("preset").get_to(meta.preset);
    if (object.contains("augmentation")) object.at("augmentation").get_to(meta.augmentation);
    if (object.contains("parameters")) object.at("parameters").get_to(meta.parameters);  // not in version 1.0
    if (object.contains("cutoff")) {
      Cutoff& cutoff = meta.cutoff.emplace();
      object.at("cutoff").at("score").get_to(cutoff.score);
      object.at("cutoff").at("precision").get_to(cutoff.precision);
      object.at("cutoff").at("recall").get_to(cutoff.recall);
    }
    if (object.contains("shards")) {
      const nlohmann::json& parts = object.at("shards");
      Shards& shards = meta.shards.emplace();
      parts.at("parts").get_to(shards.parts);
      parts.at("of").get_to(shards.of);
      parts.at("items").get_to(shards.items);
      parts.at("list").get_to(shards.list);
    }
  } catch (const nlohmann::json::exception& error) {
    throw DamagedFile(
        fmt::format("{}: damaged index: its description cannot be read: {}", display_path(name), error.what()));
  }
  if (std::ranges::find(kStructureTypes, meta.type) == std::end(kStructureTypes))
    throw Incompatible(fmt::format("{}: an index of type '{}'; this program reads {}", display_path(name), meta.type,
                                   fmt::join(kStructureTypes, ", ")));
  try {
    meta.metric = parse_metric(metric);
  } catch (const UsageError& error) {
    throw Incompatible(fmt::format("{}: {}", display_path(name), error.what()));
  }
  constexpr std::uint64_t kMaxDim = 1U << 24;
  if (meta.dim == 0 || meta.dim > kMaxDim)
    throw DamagedFile(
        fmt::format("{}: damaged index: dimension {}, expected 1 to {}", display_path(name), meta.dim, kMaxDim));
  return meta;
}

}  // namespace cbir
