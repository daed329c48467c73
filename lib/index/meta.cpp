#include "lib/index/meta.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <nlohmann/json.hpp>

#include <cbir/base/error.hpp>
#include <cbir/base/text.hpp>

#include "lib/store/json.hpp"

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
  const JsonFields<nlohmann::json> fields(json, name + ": damaged index: its description");
  const auto text = [&](const char* key) { return fields.required(fields.text(key), key); };
  IndexMeta meta{.type = text("type"),
                 .dim = fields.required(fields.count("dim"), "dim"),
                 .normalization = text("normalization"),
                 .encoder = text("encoder"),
                 .fingerprint = text("fingerprint"),
                 .preset = text("preset"),
                 .augmentation = fields.text("augmentation").value_or("")};
  const std::string metric = text("metric");
  if (const auto parameters = fields.object("parameters"))  // not in version 1.0
    for (const auto& [key, value] : parameters->json().items())
      meta.parameters[key] = parameters->required(parameters->count(key.c_str()), key.c_str());
  if (const auto cutoff = fields.object("cutoff")) {
    const auto number = [&](const char* key) { return cutoff->required(cutoff->number(key), key); };
    meta.cutoff = {.score = number("score"), .precision = number("precision"), .recall = number("recall")};
  }
  if (const auto shards = fields.object("shards")) {
    meta.shards = {.parts = shards->required(shards->counts("parts"), "parts"),
                   .of = shards->required(shards->count("of"), "of"),
                   .items = shards->required(shards->count("items"), "items"),
                   .list = shards->required(shards->text("list"), "list")};
    if (const std::string fault = fault_of(*meta.shards); !fault.empty()) fields.fail("\"shards\" " + fault);
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
