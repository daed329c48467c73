#include <cbir/eval/scores.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

#include <cbir/base/error.hpp>
#include <cbir/base/text.hpp>

namespace cbir {
namespace {

/// Adds queries one by one.
class Sums {
 public:
  explicit Sums(std::size_t measures) : means_(measures, Mean{0, 0}) {}

  void add(const QueryScores& query) {
    for (std::size_t m = 0; m < means_.size(); ++m) {
      if (std::isnan(query.values[m])) continue;
      means_[m].value += query.values[m];
      ++means_[m].queries;
    }
  }

  std::vector<Mean> means() && {
    for (Mean& mean : means_) mean.value = mean.queries ? mean.value / static_cast<double>(mean.queries) : kNoValue;
    return std::move(means_);
  }

 private:
  std::vector<Mean> means_;
};

}  // namespace

std::size_t Scores::measure(std::string_view name) const {
  const auto found = std::ranges::find(measures, name);
  if (found != measures.end()) return static_cast<std::size_t>(found - measures.begin());
  throw UsageError(
      fmt::format("no measure is named '{}'; there are {}", display_path(name), fmt::join(measures, ", ")));
}

std::vector<Mean> means(const Scores& scores) {
  Sums sums(scores.measures.size());
  for (const QueryScores& query : scores.queries) sums.add(query);
  return std::move(sums).means();
}

std::vector<std::pair<std::string, std::vector<Mean>>> group_means(const Scores& scores) {
  std::map<std::string_view, Sums, decltype(&natural_less)> groups(natural_less);
  for (const QueryScores& query : scores.queries)
    groups.try_emplace(query.group, scores.measures.size()).first->second.add(query);
  std::vector<std::pair<std::string, std::vector<Mean>>> result;
  for (auto& [name, sums] : groups) result.emplace_back(name, std::move(sums).means());
  return result;
}

}  // namespace cbir
