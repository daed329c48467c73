#include <cbir/cli/duplicates.hpp>

#include <fmt/format.h>

#include <utility>

#include <cbir/base/text.hpp>
#include <cbir/cli/ranking.hpp>

#include "json_field.hpp"

namespace cbir {
namespace {

class TsvWriter final : public DuplicatesWriter {
 public:
  explicit TsvWriter(OutputFile& out) : out_(out) {}

  void write(const DuplicateGroup& group) override {
    ++groups_;
    for (const DuplicateRow& row : group.rows)
      out_.write(fmt::format("{}\t{}\t{}\t{}\t{}\n", groups_, &row == &group.rows.front() ? "keep" : "duplicate",
                             format_score(row.score), format_score(group.least), tsv_escape(row.info.path)));
  }

 private:
  OutputFile& out_;
  std::uint64_t groups_ = 0;
};

class NulWriter final : public DuplicatesWriter {
 public:
  explicit NulWriter(OutputFile& out) : out_(out) {}

  void write(const DuplicateGroup& group) override {
    for (std::size_t i = 1; i < group.rows.size(); ++i) out_.write(group.rows[i].info.path + '\0');
  }

 private:
  OutputFile& out_;
};

class JsonlWriter final : public DuplicatesWriter {
 public:
  JsonlWriter(OutputFile& out, std::vector<std::string> sources) : out_(out), sources_(std::move(sources)) {}

  void write(const DuplicateGroup& group) override {
    std::string line = fmt::format("{{\"group\":{},\"least\":{},\"keep\":{},\"duplicates\":[", ++groups_,
                                   format_score(group.least), object(group.rows.front()));
    for (std::size_t i = 1; i < group.rows.size(); ++i) line += (i > 1 ? "," : "") + object(group.rows[i]);
    out_.write(line + "]}\n");
  }

 private:
  std::string object(const DuplicateRow& row) const {
    const RowInfo& info = row.info;
    std::string text = "{";
    if (sources_.size() > 1) text += json_field("source", sources_[row.source]) + ',';
    text += fmt::format("\"id\":{},\"score\":{},{}", row.id, format_score(row.score), json_field("path", info.path));
    if (info.label) text += ',' + json_field("label", *info.label);
    if (info.text) text += ",\"text\":true";
    const auto number = [&](std::string_view key, const auto& value) {
      if (value) text += fmt::format(",\"{}\":{}", key, *value);
    };
    number("bytes", info.bytes);
    number("mtime", info.mtime);
    number("width", info.width);
    number("height", info.height);
    return text + '}';
  }

  OutputFile& out_;
  const std::vector<std::string> sources_;
  std::uint64_t groups_ = 0;
};

}  // namespace

std::unique_ptr<DuplicatesWriter> make_duplicates_tsv_writer(OutputFile& out) {
  return std::make_unique<TsvWriter>(out);
}

std::unique_ptr<DuplicatesWriter> make_duplicates_nul_writer(OutputFile& out) {
  return std::make_unique<NulWriter>(out);
}

std::unique_ptr<DuplicatesWriter> make_duplicates_jsonl_writer(OutputFile& out, std::vector<std::string> sources) {
  return std::make_unique<JsonlWriter>(out, std::move(sources));
}

}  // namespace cbir
