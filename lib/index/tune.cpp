#include "lib/index/tune.hpp"

#include <algorithm>
#include <functional>
#include <optional>

namespace cbir {
namespace {

constexpr std::size_t kMostEffort = 4096;  // of what is counted, tried at most

class Tuner {
 public:
  Tuner(const RecallSample& sample, const Structure& structure, double target, std::uint64_t rows)
      : sample_(sample),
        structure_(structure),
        target_(target),
        most_(static_cast<std::size_t>(std::min<std::uint64_t>(kMostEffort, rows))) {}

  bool reaches(const SearchEffort& effort) const {
    const RecallEstimate found = sample_.measure(structure_, effort).recall;
    return found.low >= target_ || found.recall == 1;
  }

  /// The least value from `from` on with which `with` reaches the target, to within a tenth; nothing if none does.
  std::optional<std::size_t> least(std::size_t from, const std::function<SearchEffort(std::size_t)>& with) const {
    std::size_t low = from, high = from;
    while (!reaches(with(high))) {
      if (high >= most_) return std::nullopt;
      low = high + 1;
      high = std::min(most_, high * 2);
    }
    while (high - low > std::max<std::size_t>(high / 10, 0)) {
      const std::size_t middle = low + (high - low) / 2;
      if (reaches(with(middle))) high = middle;
      else low = middle + 1;
    }
    return high;
  }

  Tuned result(const SearchEffort& effort) const {
    const Measured found = sample_.measure(structure_, effort);
    return {.effort = effort, .recall = found.recall, .counts = found.counts};
  }

  std::size_t most() const noexcept { return most_; }

 private:
  const RecallSample& sample_;
  const Structure& structure_;
  double target_;
  std::size_t most_;
};

/// What a search costs, in rows compared by code. Not its time, which is never the same twice, whereas the same rows
/// are to give the same index. That a row from anywhere costs as much to score as 45 codes that lie side by side to
/// compare is an estimate from bytes and latencies, not a measurement.
std::uint64_t cost(const SearchCounts& counts) { return counts.compared + 45 * counts.scored; }

/// Lists and candidates may stand in for one another: more of these lets fewer of those do.
Tuned tune_ivf(const Tuner& tuner, SearchEffort effort) {
  const auto probing = [&](std::size_t probe, std::size_t candidates) {
    SearchEffort out = effort;
    out.probe = probe;
    out.candidates = candidates;
    return out;
  };
  std::vector<std::size_t> probes;
  if (effort.probe > 0) {
    probes = {effort.probe};
  } else {
    const std::size_t many = effort.candidates > 0 ? effort.candidates : std::min<std::size_t>(tuner.most(), 1000);
    const auto least = tuner.least(1, [&](std::size_t probe) { return probing(probe, many); });
    if (!least) return tuner.result(probing(tuner.most(), many));
    probes = {*least, *least + (*least + 3) / 4, *least + (*least + 1) / 2, *least * 2};
  }
  std::optional<Tuned> best;
  for (const std::size_t probe : probes) {
    const auto candidates =
        effort.candidates > 0
            ? std::optional(effort.candidates)
            : tuner.least(RecallSample::kNeighbours, [&](std::size_t count) { return probing(probe, count); });
    if (!candidates) continue;
    const Tuned trial = tuner.result(probing(probe, *candidates));
    if (!best || cost(trial.counts) < cost(best->counts)) best = trial;
  }
  return best ? *best : tuner.result(probing(probes.back(), tuner.most()));
}

Tuned tune_one(const Tuner& tuner, SearchEffort effort, std::size_t SearchEffort::*field) {
  const auto with = [&](std::size_t value) {
    SearchEffort out = effort;
    out.*field = value;
    return out;
  };
  if (effort.*field > 0) return tuner.result(effort);
  const std::size_t first = std::min(RecallSample::kNeighbours, tuner.most());
  return tuner.result(with(tuner.least(first, with).value_or(tuner.most())));
}

}  // namespace

Tuned tune(const RecallSample& sample, const Structure& structure, const std::string& type, std::uint64_t rows,
           const SearchEffort& given, double target) {
  const Tuner tuner(sample, structure, target, rows);
  if (type == "ivf") return tune_ivf(tuner, given);
  if (type == "hnsw") return tune_one(tuner, given, &SearchEffort::ef);
  if (type == "lsh") return tune_one(tuner, given, &SearchEffort::candidates);
  return tuner.result(given);
}

}  // namespace cbir
