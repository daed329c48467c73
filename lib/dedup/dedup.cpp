#include <cbir/dedup/dedup.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <mutex>
#include <optional>
#include <span>
#include <utility>

#include <cbir/base/error.hpp>
#include <cbir/base/text.hpp>
#include <cbir/index/scan.hpp>

#include "lib/dedup/identical.hpp"
#include "lib/dedup/keep.hpp"
#include "lib/dedup/linkage.hpp"
#include "lib/dedup/pair_scan.hpp"
#include "lib/dedup/rows.hpp"
#include "lib/index/scan_kernels.hpp"

namespace cbir {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

float choose_threshold(std::optional<float> wanted, Metric metric) {
  if (metric == Metric::l2) {
    if (!wanted)
      throw UsageError("under l2 the right --threshold depends on the vectors: give one, minus a squared distance");
    if (!(*wanted <= 0) || std::isinf(*wanted))
      throw UsageError(fmt::format("--threshold {}: under l2 a score is minus a squared distance, 0 at most", *wanted));
    return *wanted;
  }
  const float threshold = wanted.value_or(kDuplicateCosine);
  if (!(threshold > 0 && threshold <= 1))
    throw UsageError(fmt::format("--threshold {}: expected a cosine above 0, 1 at most", threshold));
  return threshold;
}

/// Counts pairs, and ends the run when there are more than memory should hold.
class PairLimit {
 public:
  PairLimit(std::uint64_t limit, float threshold, const DedupProgress& progress)
      : limit_(limit), threshold_(threshold), progress_(progress) {}

  void count(std::uint64_t pairs) {
    found_ += pairs;
    if (found_ <= limit_) return;
    throw ResourceLimit(fmt::format(
        "{} pairs of rows score {} or more, {:.0f} % of all pairs being compared; expected {} at most: give a "
        "higher --threshold, or a higher --max-pairs if memory allows",
        found_, threshold_, share_, limit_));
  }
  void progress(std::uint64_t done, std::uint64_t all) {
    {
      const std::lock_guard lock(mutex);
      share_ = 100 * static_cast<double>(done) / static_cast<double>(all);
    }
    if (progress_) progress_(done, all);
  }
  std::uint64_t found() const { return found_; }

  std::mutex mutex;  ///< whoever counts holds it

 private:
  const std::uint64_t limit_;
  const float threshold_;
  const DedupProgress& progress_;
  std::uint64_t found_ = 0;
  double share_ = 0;
};

/// The scores of a vector with others.
std::vector<float> scores_of(Metric metric, MatrixView<const float> vectors, std::uint32_t vector,
                             std::span<const std::uint32_t> others) {
  std::vector<float> scores(others.size());
  score_rows(metric, vectors.row(vector), vectors, others, scores.data());
  return scores;
}

/// The least score of two members. `least`: that of two different vectors, if it is `known`.
float least_score(Metric metric, MatrixView<const float> vectors, const std::vector<Member>& members, float least,
                  bool known) {
  std::vector<std::uint32_t> all;
  for (const Member& member : members) all.push_back(member.vector);
  std::ranges::sort(all);
  if (!known) least = kInfinity;
  for (std::size_t i = 0; i + 1 < all.size(); ++i) {
    const std::span<const std::uint32_t> later = std::span(all).subspan(i + 1);
    if (known && later.front() != all[i]) continue;
    least = std::min(least, std::ranges::min(scores_of(metric, vectors, all[i], known ? later.first(1) : later)));
  }
  return least;
}

DuplicateRow described(const SourceRows& rows, const Member& member, float score) {
  const SourceRows::Place place = rows.place(member.row);
  return {.source = place.source, .id = rows.id(place), .info = member.info, .score = score};
}

/// Groups among the rows of the sources.
class Grouping {
 public:
  Grouping(SourceRows& rows, const DedupOptions& options, DedupReport& report, const DedupProgress& progress)
      : rows_(rows), options_(options), report_(report), progress_(progress) {}

  void run() {
    find_nodes();
    for (const LinkedGroup& group : complete_linkage(rows_of_.size(), find_pairs())) {
      add(group.rows, group.least);
      for (const std::uint32_t node : group.rows) rows_of_[node].clear();
    }
    for (std::uint32_t node = 0; node < rows_of_.size(); ++node)
      if (rows_of_[node].size() > 1) add({node}, kInfinity);
    for (auto& [first, group] : found_) report_.groups.push_back(std::move(group));
  }

 private:
  /// A node is all rows of one vector.
  void find_nodes() {
    const std::vector<std::uint32_t> first = first_of_same(rows_.vectors());
    std::vector<std::uint32_t> node(first.size()), kept;
    for (std::uint32_t row = 0; row < first.size(); ++row) {
      if (first[row] == row) {
        node[row] = static_cast<std::uint32_t>(kept.size());
        kept.push_back(row);
        rows_of_.emplace_back();
      }
      rows_of_[node[first[row]]].push_back(row);
    }
    rows_.keep_vectors(kept);
  }

  std::vector<ScoredPair> find_pairs() {
    std::vector<ScoredPair> pairs;
    PairLimit limit(options_.max_pairs, report_.threshold, progress_);
    scan_pairs(
        rows_.vectors(), rows_.vectors(), report_.metric, report_.threshold,
        [&](const FoundRows& found) {
          const std::lock_guard lock(limit.mutex);
          limit.count(found.rows.size());
          for (std::size_t i = 0; i < found.rows.size(); ++i)
            pairs.push_back({found.query, found.rows[i], found.scores[i]});
        },
        [&](std::uint64_t done, std::uint64_t all) { limit.progress(done, all); });
    report_.pairs = limit.found();
    return pairs;
  }

  /// Adds the group of these nodes, unless all its rows are one file. `least`: of two different nodes.
  void add(const std::vector<std::uint32_t>& nodes, float least) {
    std::vector<Member> members;
    for (const std::uint32_t node : nodes)
      for (const std::uint32_t row : rows_of_[node]) members.push_back({row, node, rows_.info(rows_.place(row))});
    std::ranges::sort(members, {}, &Member::row);
    const std::size_t same = remove_same_files(members);
    report_.same_file += same;
    if (members.size() < 2) return;
    DuplicateGroup group;
    group.least = least_score(report_.metric, rows_.vectors(), members, least, same == 0);
    report_.duplicates += members.size() - 1;
    knows_ = knows_ || says(members, options_.keep);
    report_.keep_unknown = !knows_;
    const std::uint32_t first = members.front().row;
    const std::size_t kept = choose_kept(members, options_.keep);
    std::rotate(members.begin(), members.begin() + static_cast<std::ptrdiff_t>(kept),
                members.begin() + static_cast<std::ptrdiff_t>(kept) + 1);
    std::vector<std::uint32_t> vectors;
    for (const Member& member : members) vectors.push_back(member.vector);
    const std::vector<float> scores = scores_of(report_.metric, rows_.vectors(), vectors.front(), vectors);
    for (std::size_t i = 0; i < members.size(); ++i) group.rows.push_back(described(rows_, members[i], scores[i]));
    found_.emplace(first, std::move(group));
  }

  SourceRows& rows_;
  const DedupOptions& options_;
  DedupReport& report_;
  const DedupProgress& progress_;
  std::vector<std::vector<std::uint32_t>> rows_of_;  // of each node
  std::map<std::uint32_t, DuplicateGroup> found_;    // by first row
  bool knows_ = false;                               // whether any row says what is kept
};

/// Rows of the sources by the row of the others that they resemble most.
class Matching {
 public:
  Matching(const SourceRows& rows, const SourceRows& others, const DedupOptions& options, DedupReport& report,
           const DedupProgress& progress)
      : rows_(rows),
        others_(others),
        sources_(options.sources.size()),
        report_(report),
        progress_(progress),
        best_(rows.size()) {}

  void run() {
    const MatrixView<const float> vectors = rows_.vectors(), others = others_.vectors();
    // The kernels' score of a vector with itself may fall short of 1.
    const float rounding = static_cast<float>(others.cols / kVectorPadding + 64) * 0x1p-24F;
    const bool cosine = report_.metric == Metric::cosine;
    const float least = cosine ? std::min(report_.threshold, 1 - rounding) : report_.threshold;
    std::mutex mutex;
    scan_pairs(
        vectors, others, report_.metric, least,
        [&](const FoundRows& found) {
          Best& best = best_[found.query];
          std::uint64_t pairs = 0;
          for (std::size_t i = 0; i < found.rows.size(); ++i) {
            const bool same = std::ranges::equal(vectors.row(found.query), others.row(found.rows[i]));
            if (!same && !(found.scores[i] >= report_.threshold)) continue;
            pairs += !same;
            if (std::pair(same, found.scores[i]) > std::pair(best.same, best.score))
              best = {.other = found.rows[i], .same = same, .score = found.scores[i]};
          }
          const std::lock_guard lock(mutex);
          report_.pairs += pairs;
        },
        progress_);
    gather();
  }

 private:
  struct Best {
    std::uint32_t other = 0;
    bool same = false;  // the same vector
    float score = -kInfinity;
  };

  void gather() {
    std::map<std::uint32_t, std::vector<Member>> groups;
    for (std::uint32_t row = 0; row < best_.size(); ++row)
      if (best_[row].score > -kInfinity) groups[best_[row].other].push_back({row, row, rows_.info(rows_.place(row))});
    for (auto& [other, members] : groups) {
      members.insert(members.begin(), {other, 0, others_.info(others_.place(other))});
      report_.same_file += remove_same_files(members);
      if (members.size() < 2) continue;
      DuplicateGroup group{.rows = {described(others_, members.front(), self_score(other))}, .least = kInfinity};
      group.rows.front().source += sources_;
      for (std::size_t i = 1; i < members.size(); ++i) {
        group.rows.push_back(described(rows_, members[i], best_[members[i].row].score));
        group.least = std::min(group.least, group.rows.back().score);
      }
      report_.duplicates += members.size() - 1;
      report_.groups.push_back(std::move(group));
    }
  }

  float self_score(std::uint32_t other) const {
    return scores_of(report_.metric, others_.vectors(), other, {&other, 1}).front();
  }

  const SourceRows &rows_, &others_;
  const std::size_t sources_;
  DedupReport& report_;
  const DedupProgress& progress_;
  std::vector<Best> best_;  // of each row
};

}  // namespace

DedupReport find_duplicates(const DedupOptions& options, const DedupProgress& progress) {
  SourceRows rows(options.sources, options.metric, options.allow_mismatch);
  DedupReport report;
  report.metric = rows.metric();
  report.threshold = choose_threshold(options.threshold, rows.metric());
  report.encoder = rows.encoder();
  report.rows = rows.size();
  if (!options.against) {
    Grouping(rows, options, report, progress).run();
    return report;
  }
  const SourceRows others({*options.against}, options.metric ? options.metric : rows.metric(), options.allow_mismatch);
  rows.demand_comparable(others, options.allow_mismatch);
  report.against = others.size();
  Matching(rows, others, options, report, progress).run();
  return report;
}

}  // namespace cbir
