#include <cbir/detect/proposals.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include <cbir/base/error.hpp>
#include <cbir/base/text.hpp>
#include <cbir/image/resize.hpp>

#include "edge_boxes.hpp"
#include "grid.hpp"
#include "rounding.hpp"

namespace cbir {
namespace {

class Proposer : public Detector {
 public:
  explicit Proposer(const ProposalOptions& options) : options_(options) {}
  const std::vector<std::string>& classes() const override { return none_; }

 protected:
  ProposalOptions options_;

 private:
  std::vector<std::string> none_;
};

class GridProposer : public Proposer {
 public:
  using Proposer::Proposer;

  std::vector<Detection> detect(const Image& picture) const override {
    std::vector<Detection> out = grid_boxes(picture.width, picture.height, options_.max);
    for (Detection& box : out) round_corners(box, picture.width, picture.height);
    return out;
  }
};

class EdgesProposer : public Proposer {
 public:
  using Proposer::Proposer;

  std::vector<Detection> detect(const Image& picture) const override {
    const double scale = std::min(1.0, static_cast<double>(kSide) / std::max(picture.width, picture.height));
    const auto side = [&](int length) { return std::max(1, static_cast<int>(std::lround(length * scale))); };
    const int width = side(picture.width), height = side(picture.height);
    const EdgeMap edges = find_edges(resize(picture, width, height, Filter::bilinear));
    std::vector<Detection> out;
    const double per_column = static_cast<double>(picture.width) / width,
                 per_row = static_cast<double>(picture.height) / height;
    EdgeBoxesOptions search;
    if (options_.max > kFew) search.step_overlap = kFineSteps;
    for (const ScoredBox& box : edge_boxes(group_edges(edges), search, options_.max)) {
      Detection& found = out.emplace_back();
      found.x1 = box.left * per_column;
      found.y1 = box.top * per_row;
      found.x2 = (box.left + box.width) * per_column;
      found.y2 = (box.top + box.height) * per_row;
      found.confidence = std::min(1.0, static_cast<double>(box.score));
      round_corners(found, picture.width, picture.height);
    }
    return out;
  }

 private:
  /// The picture's long side becomes so many pixels: a thing's outline shows at any size, and what it is made of less.
  static constexpr int kSide = 160;
  /// Who wants more boxes than this wants to miss little: twice the time for half of what was missed.
  static constexpr std::size_t kFew = 50;
  static constexpr double kFineSteps = .65;
};

}  // namespace

std::vector<std::string> proposer_names() { return {"edges", "grid"}; }

DetectorChoice choose_proposer(const std::string& name, const ProposalOptions& options) {
  const std::string identity = fmt::format("{} 1, {} boxes at most", name, options.max);
  if (name == "edges") return {identity, [options] { return std::make_unique<EdgesProposer>(options); }};
  if (name == "grid") return {identity, [options] { return std::make_unique<GridProposer>(options); }};
  throw UsageError(fmt::format("'{}' is no proposer: edges and grid are", display_path(name)));
}

std::unique_ptr<Detector> open_proposer(const std::string& name, const ProposalOptions& options) {
  return choose_proposer(name, options).open();
}

}  // namespace cbir
