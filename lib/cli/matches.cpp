#include <cbir/cli/matches.hpp>

#include <fmt/format.h>

#include <utility>

#include <cbir/base/text.hpp>
#include <cbir/cli/ranking.hpp>

#include "json_field.hpp"
#include "overlay.hpp"

namespace cbir {
namespace {

class TsvWriter final : public MatchesWriter {
 public:
  explicit TsvWriter(OutputFile& out) : out_(out) {}

  void write(const MatchedPair& pair) override {
    if (!pair.problem.empty()) return;
    const Verification& found = pair.verification;
    out_.write(fmt::format("{}\t{}\t{}\t{}\t{}\t{}\t{:.3f}\t{}\n", tsv_escape(pair.pair.a), tsv_escape(pair.pair.b),
                           pair.a->size(), pair.b->size(), found.matches, found.inliers.size(), found.score,
                           format_transform(found.transform)));
  }

 private:
  OutputFile& out_;
};

class JsonlWriter final : public MatchesWriter {
 public:
  JsonlWriter(OutputFile& out, MatchFacts facts, bool points) : out_(out), facts_(std::move(facts)), points_(points) {}

  void write(const MatchedPair& pair) override {
    std::string line = fmt::format("{{{},{}", json_field("a", pair.pair.a), json_field("b", pair.pair.b));
    if (!pair.problem.empty()) {
      out_.write(line + ',' + json_field("error", pair.problem) + "}\n");
      return;
    }
    const Verification& found = pair.verification;
    line += ',' + json_field("features", facts_.features) + ',' + json_field("matcher", facts_.matcher);
    line += fmt::format(
        ",\"keypoints_a\":{},\"keypoints_b\":{},\"matches\":{},\"inliers\":{},\"score\":{:.3f},\"verified\":{},"
        "\"model\":\"{}\",\"transform\":{}",
        pair.a->size(), pair.b->size(), found.matches, found.inliers.size(), found.score, found.verified(),
        to_string(facts_.model), found.transform ? '[' + format_transform(found.transform) + ']' : "null");
    if (pair.mirrored) line += ",\"mirrored\":true";
    if (points_) line += ",\"points\":[" + points(pair) + ']';
    out_.write(line + "}\n");
  }

 private:
  static std::string points(const MatchedPair& pair) {
    std::string text;
    for (const auto& [a, b] : inlier_lines(*pair.a, *pair.b, pair.matches, pair.verification))
      text += fmt::format("{}[{:.2f},{:.2f},{:.2f},{:.2f}]", text.empty() ? "" : ",", a.x, a.y, b.x, b.y);
    return text;
  }

  OutputFile& out_;
  MatchFacts facts_;
  bool points_;
};

}  // namespace

std::unique_ptr<MatchesWriter> make_matches_tsv_writer(OutputFile& out) { return std::make_unique<TsvWriter>(out); }

std::unique_ptr<MatchesWriter> make_matches_jsonl_writer(OutputFile& out, MatchFacts facts, bool points) {
  return std::make_unique<JsonlWriter>(out, std::move(facts), points);
}

}  // namespace cbir
