#include "edge_boxes.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

namespace cbir {
namespace {

constexpr double kExponent = 1.5;     // kappa: how much larger boxes must hold
constexpr float kLeastWeight = .05F;  // of a path of groups
constexpr float kLeastScore = .01F;

/// Sums of a map over any rectangle, at the cost of four look-ups.
class Sums {
 public:
  Sums(const std::vector<float>& map, int width, int height)
      : columns_(static_cast<std::size_t>(width) + 1), sums_(columns_ * (static_cast<std::size_t>(height) + 1)) {
    for (int y = 0; y < height; ++y) {
      double row = 0;
      for (int x = 0; x < width; ++x) {
        row += static_cast<double>(
            map[static_cast<std::size_t>(y) * static_cast<std::size_t>(width) + static_cast<std::size_t>(x)]);
        sums_[index(x + 1, y + 1)] = sums_[index(x + 1, y)] + row;
      }
    }
  }

  /// Of columns [left, right) and rows [top, bottom).
  double of(int left, int top, int right, int bottom) const {
    return sums_[index(right, bottom)] - sums_[index(left, bottom)] - sums_[index(right, top)] +
           sums_[index(left, top)];
  }

 private:
  std::size_t index(int x, int y) const { return static_cast<std::size_t>(y) * columns_ + static_cast<std::size_t>(x); }

  std::size_t columns_;
  std::vector<double> sums_;
};

std::vector<float> strengths_at_middles(const EdgeGroups& groups) {
  std::vector<float> map(groups.group_of.size());
  for (const EdgeGroups::Group& group : groups.groups)
    map[static_cast<std::size_t>(group.y) * static_cast<std::size_t>(groups.width) +
        static_cast<std::size_t>(group.x)] += group.strength;
  return map;
}

/// Groups along a line of pixels, in pieces: where a piece begins, which group it is of (or none), and which piece a
/// pixel lies in. A box's border is looked at piece by piece.
class Lines {
 public:
  /// `step` from pixel to pixel of a line, `line_step` from line to line.
  Lines(const EdgeGroups& groups, int lines, int length, std::ptrdiff_t line_step, std::ptrdiff_t step)
      : length_(static_cast<std::size_t>(length)), piece_of_(static_cast<std::size_t>(lines) * length_) {
    for (int line = 0; line < lines; ++line)
      for (int i = 0; i < length; ++i) {
        const std::int32_t group = groups.group_of[static_cast<std::size_t>(line * line_step + i * step)];
        if (i == 0 || group != pieces_.back()) pieces_.push_back(group);
        piece_of_[static_cast<std::size_t>(line) * length_ + static_cast<std::size_t>(i)] =
            static_cast<std::uint32_t>(pieces_.size() - 1);
      }
  }

  template <typename Visit>
  void visit(int line, int first, int last, Visit visit) const {
    const std::uint32_t* pieces = piece_of_.data() + static_cast<std::size_t>(line) * length_;
    for (std::uint32_t i = pieces[first]; i <= pieces[last]; ++i)
      if (pieces_[i] >= 0) visit(pieces_[i]);
  }

 private:
  std::size_t length_;
  std::vector<std::uint32_t> piece_of_;
  std::vector<std::int32_t> pieces_;
};

class Scorer {
 public:
  explicit Scorer(const EdgeGroups& groups)
      : groups_(groups),
        edges_(groups.strength, groups.width, groups.height),
        middles_(strengths_at_middles(groups), groups.width, groups.height),
        rows_(groups, groups.height, groups.width, groups.width, 1),
        columns_(groups, groups.width, groups.height, 1, groups.width),
        place_(groups.groups.size(), 0),
        seen_(groups.groups.size(), 0),
        norms_(static_cast<std::size_t>(groups.width + groups.height) + 1) {
    for (std::size_t i = 1; i < norms_.size(); ++i)
      norms_[i] = static_cast<float>(std::pow(1 / static_cast<double>(i), kExponent));
  }

  /// Sets the score of a box that lies inside the map; 0 if it is less than `least`.
  void score(ScoredBox& box, float least) {
    box.score = 0;
    const int right = box.left + box.width, bottom = box.top + box.height;
    const int half_width = box.width / 2, half_height = box.height / 2;
    const int inner_left = box.left + box.width / 4, inner_top = box.top + box.height / 4;
    // What lies in the middle says little of where the thing ends.
    double held = middles_.of(box.left, box.top, right, bottom) -
                  edges_.of(inner_left, inner_top, inner_left + half_width, inner_top + half_height);
    const float norm = norms_[static_cast<std::size_t>(box.width + box.height)];
    if (held * static_cast<double>(norm) < static_cast<double>(least)) return;
    held -= crossing(box, right, bottom);
    const auto score = static_cast<float>(held) * norm;
    if (score >= least) box.score = score;
  }

 private:
  struct Weighted {
    std::int32_t group;
    float weight;
  };

  bool inside(const EdgeGroups::Group& group, const ScoredBox& box, int right, int bottom) const {
    return group.x >= box.left && group.x < right && group.y >= box.top && group.y < bottom;
  }

  /// The strength of the groups in the box that are connected with its border, as far as they are.
  double crossing(const ScoredBox& box, int right, int bottom) {
    ++turn_;
    found_.clear();
    const auto add = [&](std::int32_t group, float weight) {
      const auto i = static_cast<std::size_t>(group);
      seen_[i] = turn_;
      place_[i] = static_cast<std::uint32_t>(found_.size());
      found_.push_back({group, weight});
    };
    const auto touch = [&](std::int32_t group) {
      if (seen_[static_cast<std::size_t>(group)] != turn_) add(group, 1);
    };
    rows_.visit(box.top, box.left, right - 1, touch);
    rows_.visit(bottom - 1, box.left, right - 1, touch);
    columns_.visit(box.left, box.top, bottom - 1, touch);
    columns_.visit(right - 1, box.top, bottom - 1, touch);
    for (std::size_t i = 0; i < found_.size(); ++i) {
      const Weighted now = found_[i];
      for (const EdgeGroups::Link& link : groups_.groups[static_cast<std::size_t>(now.group)].links) {
        const float weight = now.weight * link.affinity;
        if (weight < kLeastWeight) continue;
        const auto to = static_cast<std::size_t>(link.to);
        if (seen_[to] != turn_) {
          if (inside(groups_.groups[to], box, right, bottom)) add(link.to, weight);
        } else if (weight > found_[place_[to]].weight) {
          found_[place_[to]].weight = weight;
          // Whom it leads to is looked at again; the loop's step makes up for the one that is taken off.
          if (place_[to] <= i) {
            i = place_[to] - std::size_t{1};
            break;
          }
        }
      }
    }
    double sum = 0;
    for (const Weighted& weighted : found_) {
      const EdgeGroups::Group& group = groups_.groups[static_cast<std::size_t>(weighted.group)];
      if (inside(group, box, right, bottom)) sum += static_cast<double>(weighted.weight * group.strength);
    }
    return sum;
  }

  const EdgeGroups& groups_;
  Sums edges_, middles_;
  Lines rows_, columns_;
  std::vector<std::uint32_t> place_;  // of a group in found_
  std::vector<std::uint32_t> seen_;   // the turn in which a group was found last
  std::vector<float> norms_;          // by width + height
  std::uint32_t turn_ = 0;
  std::vector<Weighted> found_;
};

/// Boxes of all places, sizes and shapes, in steps that overlap by `step_overlap`.
std::vector<ScoredBox> all_boxes(int width, int height, const EdgeBoxesOptions& options) {
  const double alpha = options.step_overlap, scale_step = std::sqrt(1 / alpha), aspect_step = (1 + alpha) / (2 * alpha),
               place_step = (1 - alpha) / (1 + alpha);
  const double smallest = std::sqrt(options.min_area * width * height);
  const int aspects = static_cast<int>(std::log(options.max_aspect) / std::log(aspect_step * aspect_step)),
            scales = static_cast<int>(std::ceil(std::log(std::max(width, height) / smallest) / std::log(scale_step)));
  std::vector<ScoredBox> boxes;
  for (int s = 0; s <= scales; ++s)
    for (int a = -aspects; a <= aspects; ++a) {
      const double size = smallest * std::pow(scale_step, s), aspect = std::pow(aspect_step, a);
      const int box_width = std::min(width, static_cast<int>(size * aspect)),
                box_height = std::min(height, static_cast<int>(size / aspect));
      // A shape that only the picture's edge has made fits another size.
      if (size * aspect > 1.2 * width || size / aspect > 1.2 * height || box_width < 4 || box_height < 4) continue;
      const int step_x = std::max(2, static_cast<int>(box_width * place_step)),
                step_y = std::max(2, static_cast<int>(box_height * place_step));
      for (int y = 0;; y += step_y) {
        const int top = std::min(y, height - box_height);
        for (int x = 0;; x += step_x) {
          const int left = std::min(x, width - box_width);
          boxes.push_back({left, top, box_width, box_height, 0});
          if (left == width - box_width) break;
        }
        if (top == height - box_height) break;
      }
    }
  return boxes;
}

/// Moves each side of the box in and out, by smaller and smaller steps, as long as that scores better.
void refine(ScoredBox& box, Scorer& scorer, int width, int height, double place_step) {
  const auto try_out = [&](int left, int top, int right, int bottom) {
    if (left < 0 || top < 0 || right > width || bottom > height || right - left < 4 || bottom - top < 4) return false;
    ScoredBox moved{left, top, right - left, bottom - top, 0};
    scorer.score(moved, box.score);
    if (moved.score <= box.score) return false;
    box = moved;
    return true;
  };
  int step_x = static_cast<int>(box.width * place_step), step_y = static_cast<int>(box.height * place_step);
  while (step_x > 2 || step_y > 2) {
    step_x = std::max(1, step_x / 2);
    step_y = std::max(1, step_y / 2);
    const auto side = [&](int left, int top, int right, int bottom) {
      const auto moved = [&](int sign) {
        return try_out(box.left + sign * left, box.top + sign * top, box.left + box.width + sign * right,
                       box.top + box.height + sign * bottom);
      };
      if (!moved(1)) moved(-1);
    };
    side(0, -step_y, 0, 0);
    side(0, 0, 0, step_y);
    side(-step_x, 0, 0, 0);
    side(0, 0, step_x, 0);
  }
}

double overlap(const ScoredBox& a, const ScoredBox& b) {
  const int width = std::min(a.left + a.width, b.left + b.width) - std::max(a.left, b.left),
            height = std::min(a.top + a.height, b.top + b.height) - std::max(a.top, b.top);
  if (width <= 0 || height <= 0) return 0;
  const double both = static_cast<double>(width) * height;
  return both / (static_cast<double>(a.width) * a.height + static_cast<double>(b.width) * b.height - both);
}

void sort_best_first(std::vector<ScoredBox>& boxes) {
  std::ranges::stable_sort(boxes, std::greater<>(), &ScoredBox::score);
}

}  // namespace

std::vector<ScoredBox> edge_boxes(const EdgeGroups& groups, const EdgeBoxesOptions& options, std::size_t max) {
  if (groups.groups.empty() || groups.width < 8 || groups.height < 8) return {};
  Scorer scorer(groups);
  std::vector<ScoredBox> boxes = all_boxes(groups.width, groups.height, options);
  for (ScoredBox& box : boxes) scorer.score(box, kLeastScore);
  std::erase_if(boxes, [](const ScoredBox& box) { return box.score <= 0; });
  sort_best_first(boxes);
  if (boxes.size() > options.refined) boxes.resize(options.refined);
  const double place_step = (1 - options.step_overlap) / (1 + options.step_overlap);
  for (ScoredBox& box : boxes) refine(box, scorer, groups.width, groups.height, place_step);
  sort_best_first(boxes);
  std::vector<ScoredBox> out;
  for (const ScoredBox& box : boxes) {
    if (out.size() == max) break;
    if (std::ranges::none_of(out, [&](const ScoredBox& better) { return overlap(better, box) > options.max_overlap; }))
      out.push_back(box);
  }
  return out;
}

}  // namespace cbir
