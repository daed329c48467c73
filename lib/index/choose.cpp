#include "lib/index/choose.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <numeric>
#include <optional>
#include <random>

#include <cbir/base/text.hpp>
#include <cbir/index/scan.hpp>

#include "lib/index/structures.hpp"
#include "lib/index/tune.hpp"

namespace cbir {
namespace {

constexpr std::size_t kTriedRows = 100'000;  // at most; more are judged by samples
constexpr std::size_t kSmallShare = 4;       // the smaller sample's rows are the larger one's by this
constexpr std::size_t kSingleQueries = 64;
constexpr double kWorthIt = .8;
constexpr std::size_t kFewRows = 4096;

/// Seconds of a query.
struct Times {
  double among_many = 0, alone = 0;
};

struct Trial {
  Times times;
  double recall = 1;
};

/// Some rows in a file of their own, in which structures are built.
class Scratch {
 public:
  Scratch(const Segment& all, std::size_t rows, const IndexMeta& meta, const std::string& path)
      : path_(path), writer_(path, true), meta_(meta) {
    std::vector<std::size_t> chosen(all.size());
    std::iota(chosen.begin(), chosen.end(), 0);
    std::mt19937_64 random(1);
    for (std::size_t i = 0; i < rows; ++i) std::swap(chosen[i], chosen[i + random() % (chosen.size() - i)]);
    chosen.resize(rows);
    std::sort(chosen.begin(), chosen.end());
    writer_.begin(1, SectionKind::vectors, ElementType::float32);
    for (const std::size_t row : chosen) writer_.write(std::as_bytes(all.vectors.row(row)));
    writer_.end();
    vectors_ = writer_.written();
    ids_.resize(rows);
    std::iota(ids_.begin(), ids_.end(), 0);
    segment_.number = 1;
    segment_.ids = ids_;
    segment_.vectors = {
        reinterpret_cast<const float*>(vectors_.content(1, SectionKind::vectors, ElementType::float32).data()), rows,
        all.vectors.cols};
    sample_.emplace(segment_, meta.metric, 1);
  }

  Trial attempt(const std::string& type, const StructureOptions& options, double target) {
    IndexMeta meta = meta_;
    meta.type = type;
    ContainerWriter writer(path_, true);  // of the structure alone
    if (const auto builder = make_builder(meta, options, segment_.size())) {
      builder->train(segment_.vectors, writer);
      builder->write_segment(segment_.number, segment_.vectors, writer);
    }
    const Container written = writer.written();
    const auto structure = open_structure(written, meta, segment_);
    const Tuned tuned = tune(*sample_, *structure, type, segment_.size(), {}, target);
    return {{std::min(sample_->measure(*structure, tuned.effort).seconds,
                      sample_->measure(*structure, tuned.effort).seconds),
             sample_->seconds_alone(*structure, tuned.effort, kSingleQueries)},
            tuned.recall.recall};
  }

 private:
  std::string path_;
  ContainerWriter writer_;
  IndexMeta meta_;
  Container vectors_;
  std::vector<std::uint64_t> ids_;
  Segment segment_;
  std::optional<RecallSample> sample_;
};

/// What `larger` rows' time becomes for all of them, if it goes on as from `smaller` to `larger`: a power of the rows.
/// The samples may lie in caches that the whole does not fit into, so that they tell less than the truth; the least
/// power is near what ivf's time grew with from 100,000 to 1,000,000 rows of 128 numbers, which was .35.
double grown(double smaller, double larger, double rows, double all) {
  constexpr double kLeast = .4;
  const double power = std::clamp(std::log(larger / smaller) / std::log(static_cast<double>(kSmallShare)), kLeast, 1.0);
  return larger * std::pow(all / rows, power);
}

}  // namespace

Choice choose_type(const Segment& segment, const IndexMeta& meta, std::span<const std::string> types,
                   const StructureOptions& options, double target_recall, const std::string& path) {
  const std::size_t all = segment.size(), rows = std::min(all, kTriedRows);
  if (all <= kFewRows) return {"flat", "of so few rows all are compared in no time"};
  Scratch large(segment, rows, meta, path);
  std::optional<Scratch> small;
  if (rows < all) small.emplace(segment, rows / kSmallShare, meta, path);
  Choice choice;
  double least = 0;
  for (const std::string& type : types) {
    Trial trial = large.attempt(type, options, target_recall);
    if (small) {
      const Times before = small->attempt(type, options, target_recall).times;
      const auto grow = [&](double smaller, double larger) {
        return grown(smaller, larger, static_cast<double>(rows), static_cast<double>(all));
      };
      trial.times = {grow(before.among_many, trial.times.among_many), grow(before.alone, trial.times.alone)};
    }
    choice.reason += fmt::format("{}{} {:.0f} and {:.0f} queries/s at recall {:.3f}", choice.reason.empty() ? "" : ", ",
                                 type, 1 / trial.times.among_many, 1 / trial.times.alone, trial.recall);
    // What falls well short of the target is no match for what reaches it.
    if (trial.recall < target_recall - (1 - target_recall) / 2) continue;
    const double cost = trial.times.among_many * trial.times.alone;
    // Who is exact gives way only to what is faster by more than times differ by chance.
    if (choice.type.empty() || cost < (choice.type == "flat" ? kWorthIt * least : least)) {
      choice.type = type;
      least = cost;
    }
  }
  choice.reason = fmt::format(
      "many at once and one at a time{}: {}",
      small ? fmt::format(", judged by {} and {}", rows / kSmallShare, counted(rows, "row")) : "", choice.reason);
  return choice;
}

}  // namespace cbir
