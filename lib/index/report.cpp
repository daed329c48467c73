#include <cbir/index/report.hpp>

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include <cbir/base/text.hpp>

namespace cbir {
namespace {

/// Name and value of everything known, in order of presentation.
nlohmann::ordered_json fields(const IndexInfo& info) {
  nlohmann::ordered_json out;
  out["type"] = info.type;
  out["metric"] = to_string(info.metric);
  out["rows"] = info.rows;
  if (info.removed) out["removed"] = info.removed;
  out["segments"] = info.segments;
  out["dim"] = info.dim;
  out["normalization"] = info.normalization;
  if (!info.encoder.empty()) out["encoder"] = info.encoder;
  if (!info.fingerprint.empty()) out["fingerprint"] = info.fingerprint;
  if (!info.augmentation.empty()) out["augmentation"] = info.augmentation;
  if (info.shards) out["shards"] = {{"parts", info.shards->parts}, {"of", info.shards->of}};
  out["format"] = fmt::format("{}.{}", info.version_major, info.version_minor);
  out["generation"] = info.generation;
  out["bytes"] = info.bytes;
  if (info.leftover) out["leftover"] = info.leftover;
  if (!info.parameters.empty()) out["parameters"] = info.parameters;
  if (info.cutoff)
    out["cutoff"] = {
        {"score", info.cutoff->score}, {"precision", info.cutoff->precision}, {"recall", info.cutoff->recall}};
  out["parts"] = info.parts;
  return out;
}

}  // namespace

std::string to_tsv(const IndexInfo& info) {
  const nlohmann::ordered_json known = fields(info);
  std::string out;
  for (const auto& [name, value] : known.items()) {
    if (value.is_object())
      for (const auto& [inner, number] : value.items()) out += fmt::format("{}.{}\t{}\n", name, inner, number.dump());
    else out += fmt::format("{}\t{}\n", name, value.is_string() ? tsv_escape(value.get<std::string>()) : value.dump());
  }
  return out;
}

std::string to_tsv(const BuildReport& report, double seconds) {
  std::string out =
      fmt::format("type\t{}\nrows\t{}\nbytes\t{}\nseconds\t{:.2f}\n", report.type, report.rows, report.bytes, seconds);
  const auto effort = [&](const char* name, std::size_t value) {
    if (value > 0) out += fmt::format("{}\t{}\n", name, value);
  };
  effort("probe", report.effort.probe);
  effort("candidates", report.effort.candidates);
  effort("ef", report.effort.ef);
  const RecallEstimate& recall = report.recall;
  out += fmt::format("recall@10\t{:.6f}\nrecall@10.low\t{:.6f}\nrecall@10.high\t{:.6f}\n", recall.recall, recall.low,
                     recall.high);
  if (!report.reason.empty()) out += fmt::format("reason\t{}\n", report.reason);
  return out;
}

std::string to_json(const IndexInfo& info) {
  nlohmann::ordered_json out = fields(info);
  if (!info.preset.empty()) {
    const auto preset = nlohmann::ordered_json::parse(info.preset, nullptr, false);
    out["preset"] = preset.is_discarded() ? nlohmann::ordered_json(info.preset) : preset;
  }
  return out.dump() + '\n';
}

std::string verdict(const std::string& path, const IndexInfo& info) {
  return fmt::format("{}: sound, {} of dimension {}, generation {}{}\n", display_path(path), counted(info.rows, "row"),
                     info.dim, info.generation,
                     info.leftover ? fmt::format("; {} after its end, left by an append that was cut short",
                                                 counted(info.leftover, "byte"))
                                   : "");
}

std::string verdict(const std::string& path, const ChangeReport& report) {
  std::string done;
  if (report.added) done = fmt::format("added {}; ", counted(report.added, "row"));
  if (report.removed) done += fmt::format("removed {}; ", counted(report.removed, "row"));
  return fmt::format("{}: {}{}, {}\n", display_path(path), done, counted(report.rows, "row"),
                     human_bytes(report.bytes));
}

std::string verdict(const std::string& path, const SyncReport& report) {
  return fmt::format("{}: {} added, {} changed, {} moved, {} removed, {} unchanged; {}, {}\n", display_path(path),
                     report.added, report.changed, report.moved, report.removed, report.unchanged,
                     counted(report.rows, "row"), human_bytes(report.bytes));
}

std::string verdict(const std::string& path, const MergeReport& report) {
  return fmt::format("{}: {}, {}; ids {}\n", display_path(path), counted(report.rows, "row"), human_bytes(report.bytes),
                     report.ids_kept ? "kept" : "given anew, from 0");
}

std::string verdict(const std::string& output, const RecoverReport& report) {
  if (report.lost.empty())
    return fmt::format("{}: nothing was damaged; copied {}\n", display_path(output), counted(report.kept.rows, "row"));
  return fmt::format("{}: kept generation {} with {}; lost: {}\n", display_path(output), report.kept.generation,
                     counted(report.kept.rows, "row"), report.lost);
}

}  // namespace cbir
