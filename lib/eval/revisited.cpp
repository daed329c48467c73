#include <cbir/eval/revisited.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>

#include <cbir/base/error.hpp>

#include "average_precision.hpp"
#include "judge.hpp"
#include "name_table.hpp"

namespace cbir {
namespace {

enum class Grade : std::uint8_t { easy, hard, junk };

constexpr std::array<const char*, 3> kLevels = {"easy", "medium", "hard"};

/// What a picture of that grade is at one level of difficulty.
Mark mark_of(Grade grade, std::size_t level) {
  if (grade == Grade::junk) return Mark::junk;
  if (level == 1) return Mark::relevant;
  return (level == 0) == (grade == Grade::easy) ? Mark::relevant : Mark::junk;
}

/// One a level of difficulty.
struct Levels {
  std::array<std::vector<Mark>, 3> marks;
  std::array<std::uint64_t, 3> relevant{};
};

Topic topic_of(const RevisitedQuery& query, const std::vector<std::uint32_t>& image_names,
               const std::vector<std::uint32_t>& query_pictures, Levels& levels) {
  std::map<std::uint32_t, Grade> grades;  // a picture in several lists is what the first of these says
  for (const std::uint32_t image : query.easy) grades.emplace(image_names[image], Grade::easy);
  for (const std::uint32_t image : query.hard) grades.emplace(image_names[image], Grade::hard);
  for (const std::uint32_t image : query.junk) grades.emplace(image_names[image], Grade::junk);
  for (const std::uint32_t name : query_pictures) grades.emplace(name, Grade::junk);
  Topic topic{.name = query.name, .picture = query.picture};
  for (const auto& [name, grade] : grades) {
    topic.judged.push_back(name);
    for (std::size_t level = 0; level < kLevels.size(); ++level) {
      levels.marks[level].push_back(mark_of(grade, level));
      levels.relevant[level] += levels.marks[level].back() == Mark::relevant;
    }
  }
  topic.marks = levels.marks[1];
  topic.relevant = levels.relevant[1];
  return topic;
}

/// As evaluate.py of revisitop: up to the last relevant picture, if that is before rank k.
double precision_at(const std::vector<std::uint64_t>& ranks, std::uint64_t k) {
  if (ranks.empty()) return 0;
  k = std::min(k, ranks.back());
  return static_cast<double>(std::ranges::upper_bound(ranks, k) - ranks.begin()) / static_cast<double>(k);
}

std::vector<double> measure(const Levels& levels, const JudgedRanking& ranking,
                            const std::vector<std::size_t>& cutoffs) {
  std::vector<double> values(kLevels.size() * (1 + cutoffs.size()), kNoValue);
  for (std::size_t level = 0; level < kLevels.size(); ++level) {
    if (levels.relevant[level] == 0) continue;
    const auto ranks = ranking.clean_ranks(levels.marks[level]);
    values[level] = trapezoid_precision(ranks, levels.relevant[level]);
    for (std::size_t c = 0; c < cutoffs.size(); ++c)
      values[kLevels.size() * (1 + c) + level] = precision_at(ranks, cutoffs[c]);
  }
  return values;
}

}  // namespace

Scores evaluate_revisited(const RevisitedTruth& truth, const Rankings& rankings, const RevisitedOptions& options,
                          const EvaluationProgress& progress) {
  Scores scores{.protocol = "revisited", .subject = rankings.name(), .measures = {}, .queries = {}};
  for (const char* level : kLevels) scores.measures.push_back(fmt::format("map_{}", level));
  for (const std::size_t k : options.cutoffs) {
    if (k == 0) throw UsageError("a cut-off of 0 makes no sense; give numbers from 1");
    for (const char* level : kLevels) scores.measures.push_back(fmt::format("mp@{}_{}", k, level));
  }

  NameTable names;
  std::vector<std::uint32_t> image_names, query_pictures;
  for (const std::string& image : truth.images) image_names.push_back(names.number(image));
  GroundTruth judged{.names = {}, .topics = {}, .origin = truth.file};
  for (const RevisitedQuery& query : truth.queries)
    if (const std::uint32_t name = names.number(query.picture); name >= truth.images.size())
      query_pictures.push_back(name);
  judged.names = names.all();
  judged.names_are_all = true;
  judged.unexpected = judged.names.size() - truth.images.size();
  std::vector<Levels> levels(truth.queries.size());
  for (std::size_t q = 0; q < truth.queries.size(); ++q)
    judged.topics.push_back(topic_of(truth.queries[q], image_names, query_pictures, levels[q]));

  if (rankings.queries_itself())
    scores.remarks.push_back(
        "the queries are whole pictures, which the protocol crops: --write-boxes, cbir-extract "
        "--boxes and --queries do that");
  judge(
      rankings, judged,
      [&](std::size_t topic, const JudgedRanking& ranking) { return measure(levels[topic], ranking, options.cutoffs); },
      options.details, progress, scores);
  return scores;
}

}  // namespace cbir
