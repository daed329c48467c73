#include <cbir/cli/regions.hpp>

#include <fmt/format.h>

#include <iterator>
#include <string>

#include <cbir/base/text.hpp>

#include "json_field.hpp"

namespace cbir {
namespace {

class TsvWriter final : public RegionsWriter {
 public:
  explicit TsvWriter(OutputFile& out) : out_(out) {}

  void write(const FoundRegions& found) override {
    const std::string& name = found.file.name();
    const std::string path = tsv_escape(found.file.path);
    std::string lines;
    for (std::size_t i = 0; i < found.regions.size(); ++i) {
      const Detection& region = found.regions[i];
      const std::string type = !region.class_name.empty() ? tsv_escape(region.class_name)
                               : region.class_id >= 0     ? fmt::to_string(region.class_id)
                                                          : std::string();
      fmt::format_to(std::back_inserter(lines), "{}\t{}\t{:.2f}\t{:.2f}\t{:.2f}\t{:.2f}\t{}\t{:.6f}\n",
                     tsv_escape(region_name(name, i + 1)), path, region.x1, region.y1, region.x2, region.y2, type,
                     region.confidence);
    }
    out_.write(lines);
  }

 private:
  OutputFile& out_;
};

class JsonlWriter final : public RegionsWriter {
 public:
  explicit JsonlWriter(OutputFile& out) : out_(out) {}

  void write(const FoundRegions& found) override {
    const std::string path = json_field("path", found.file.path);
    if (found.failure)
      return out_.write(fmt::format("{{{},{},{}}}\n", path, json_field("stage", found.failure->stage),
                                    json_field("error", found.failure->reason)));
    std::string lines;
    for (std::size_t i = 0; i < found.regions.size(); ++i) {
      const Detection& region = found.regions[i];
      std::string type;
      if (!region.class_name.empty()) type = json_field("class", region.class_name) + ",";
      if (region.class_id >= 0) type += fmt::format("\"class_id\":{},", region.class_id);
      fmt::format_to(std::back_inserter(lines),
                     "{{{},{},\"box\":[{:.2f},{:.2f},{:.2f},{:.2f}],{}\"confidence\":{:.6f}}}\n",
                     json_field("id", region_name(found.file.name(), i + 1)), path, region.x1, region.y1, region.x2,
                     region.y2, type, region.confidence);
    }
    out_.write(lines);
  }

 private:
  OutputFile& out_;
};

}  // namespace

std::unique_ptr<RegionsWriter> make_regions_tsv_writer(OutputFile& out) { return std::make_unique<TsvWriter>(out); }

std::unique_ptr<RegionsWriter> make_regions_jsonl_writer(OutputFile& out) { return std::make_unique<JsonlWriter>(out); }

}  // namespace cbir
