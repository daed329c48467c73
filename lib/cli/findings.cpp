#include <cbir/cli/findings.hpp>

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include <cbir/base/text.hpp>

#include "json_field.hpp"

namespace cbir {
namespace {

std::string box_tsv(const Box& box) {
  return fmt::format("{:.1f}\t{:.1f}\t{:.1f}\t{:.1f}", box.x1, box.y1, box.x2, box.y2);
}

/// The fields that a finding has wherever it stands.
std::string finding_fields(const ItemFinding& finding) {
  std::string fields =
      fmt::format("\"item\":{},{},\"box\":[{:.1f},{:.1f},{:.1f},{:.1f}],\"score\":{:.6f},\"inliers\":{},\"matches\":{}",
                  nlohmann::json(finding.item).dump(), json_field("picture", finding.picture), finding.box.x1,
                  finding.box.y1, finding.box.x2, finding.box.y2, finding.score, finding.inliers, finding.matches);
  if (finding.similarity) fields += fmt::format(",\"similarity\":{:.6f}", *finding.similarity);
  if (finding.transform) fields += fmt::format(",\"transform\":[{:.9g}]", fmt::join(*finding.transform, ","));
  return fields;
}

}  // namespace

std::string item_line(const CatalogItem& item, bool json) {
  if (json)
    return fmt::format("{{\"item\":{},\"pictures\":{},\"keypoints\":{}}}\n", nlohmann::json(item.name).dump(),
                       item.pictures, item.keypoints);
  return fmt::format("{}\t{}\t{}\n", tsv_escape(item.name), item.pictures, item.keypoints);
}

std::string finding_tsv(const std::string& path, std::optional<double> time, const ItemFinding& finding) {
  return fmt::format("{}\t{}\t{}\t{}\t{:.6f}\t{}\t{}\n", tsv_escape(path), time ? fmt::format("{:.3f}", *time) : "-",
                     tsv_escape(finding.item), box_tsv(finding.box), finding.score, finding.inliers,
                     finding.similarity ? fmt::format("{:.6f}", *finding.similarity) : "-");
}

std::string finding_json(const std::string& path, std::optional<double> time, std::uint64_t frame,
                         const ItemFinding& finding) {
  return fmt::format("{{{},{}{}}}\n", json_field("path", path),
                     time ? fmt::format("\"time\":{:.3f},\"frame\":{},", *time, frame) : "", finding_fields(finding));
}

std::string appearance_tsv(const std::string& path, const Appearance& appearance) {
  return fmt::format("{}\t{}\t{:.3f}\t{:.3f}\t{}\t{:.3f}\t{}\t{:.6f}\t{}\n", tsv_escape(path),
                     tsv_escape(appearance.item), appearance.from, appearance.to, appearance.frames,
                     appearance.best_time, box_tsv(appearance.best.box), appearance.best.score,
                     appearance.best.inliers);
}

std::string appearance_json(const std::string& path, const Appearance& appearance) {
  return fmt::format("{{{},\"item\":{},\"from\":{:.3f},\"to\":{:.3f},\"frames\":{},\"best\":{{\"time\":{:.3f},{}}}}}\n",
                     json_field("path", path), nlohmann::json(appearance.item).dump(), appearance.from, appearance.to,
                     appearance.frames, appearance.best_time, finding_fields(appearance.best));
}

}  // namespace cbir
