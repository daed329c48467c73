#include <cbir/eval/oxford.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include <cbir/base/error.hpp>
#include <cbir/base/file.hpp>
#include <cbir/base/text.hpp>

#include "average_precision.hpp"
#include "judge.hpp"
#include "lines.hpp"
#include "name_table.hpp"
#include "names.hpp"
#include "oxford_names.hpp"

namespace cbir {
namespace {

/// One way to read the lists: what is relevant, and what is junk beside junk.
struct Reading {
  std::vector<Mark> marks;     ///< one for each judged item
  std::uint64_t relevant = 0;  ///< items asked for
};

struct Readings {
  Reading all, good, ok;
};

/// Which lists name an item.
struct Membership {
  bool good = false, ok = false, junk = false;
};

/// As the original program: an item that is junk as well is asked for, but never found.
void add(Reading& reading, bool relevant, bool junk) {
  reading.relevant += relevant;
  reading.marks.push_back(junk ? Mark::junk : relevant ? Mark::relevant : Mark::irrelevant);
}

Topic topic_of(const OxfordQuery& query, NameTable& names, Readings& readings) {
  std::map<std::uint32_t, Membership> members;
  for (const auto& name : query.good) members[names.number(name)].good = true;
  for (const auto& name : query.ok) members[names.number(name)].ok = true;
  for (const auto& name : query.junk) members[names.number(name)].junk = true;
  Topic topic{.name = query.name, .picture = query.box.path, .group = query.landmark};
  for (const auto& [name, in] : members) {
    const bool only_ok = in.ok && !in.good;
    topic.judged.push_back(name);
    add(readings.all, in.good || in.ok, in.junk);
    add(readings.good, in.good, in.junk || only_ok);
    add(readings.ok, only_ok, in.junk || in.good);
  }
  topic.marks = readings.all.marks;
  topic.relevant = readings.all.relevant;
  return topic;
}

class Measures {
 public:
  explicit Measures(const OxfordOptions& options) : options_(options) {
    if (std::ranges::find(options.cutoffs, std::size_t{0}) != options.cutoffs.end())
      throw UsageError("a cut-off of 0 makes no sense; give numbers from 1");
  }

  std::vector<std::string> names() const {
    std::vector<std::string> names = {"map", "map_good", "map_ok"};
    for (const std::size_t k : options_.cutoffs) names.push_back(fmt::format("p@{}", k));
    names.insert(names.end(), {"junk_rank", "junk_share"});
    return names;
  }

  std::vector<double> measure(const Readings& readings, const JudgedRanking& ranking) const {
    const auto ranks = ranking.clean_ranks(readings.all.marks);
    std::vector<double> values = {precision(ranks, readings.all), precision(ranking, readings.good),
                                  precision(ranking, readings.ok)};
    for (const std::size_t k : options_.cutoffs)
      values.push_back(static_cast<double>(std::ranges::upper_bound(ranks, k) - ranks.begin()) /
                       static_cast<double>(k));
    double sum = 0;
    std::uint64_t junk = 0;
    for (const Placed& each : ranking.placed) {
      if (readings.all.marks[each.judgement] != Mark::junk) continue;
      sum += static_cast<double>(each.rank);
      ++junk;
    }
    const double mean_rank = junk ? sum / static_cast<double>(junk) : kNoValue;
    values.push_back(mean_rank);
    values.push_back(mean_rank / static_cast<double>(ranking.size));
    return values;
  }

 private:
  double precision(const std::vector<std::uint64_t>& ranks, const Reading& reading) const {
    if (reading.relevant == 0) return kNoValue;
    return options_.precision == AveragePrecision::trapezoid ? trapezoid_precision(ranks, reading.relevant)
                                                             : standard_precision(ranks, reading.relevant);
  }

  double precision(const JudgedRanking& ranking, const Reading& reading) const {
    return precision(ranking.clean_ranks(reading.marks), reading);
  }

  const OxfordOptions& options_;
};

/// Remarks on a ground truth that contradicts itself.
void remark_contradictions(const OxfordTruth& truth, const GroundTruth& judged, Scores& scores) {
  std::vector<std::string_view> queries;
  for (std::size_t t = 0; t < judged.topics.size(); ++t)
    if (static_cast<std::uint64_t>(std::ranges::count(judged.topics[t].marks, Mark::relevant)) <
        judged.topics[t].relevant)
      queries.push_back(truth.queries[t].name);
  if (!queries.empty())
    scores.remarks.push_back(
        fmt::format("the junk of {} {} holds what is to be found, too, which is never found therefore, as the original "
                    "program counts: {}",
                    queries.size(), queries.size() == 1 ? "query" : "queries", name_some(queries)));
}

/// The whole collection: what no list names is a name of its own.
void add_images(const std::string& file, NameTable& names) {
  const std::string text = read_text(file);
  std::vector<std::string> images;
  for (const std::string_view line : lines_of(text)) images.emplace_back(line);
  const NameMatch match = match_names(images, names.all(), kOxfordPrefix);
  for (std::size_t i = 0; i < images.size(); ++i)
    if (match.of_item[i] == kNoName) names.number(images[i]);
}

}  // namespace

Scores evaluate_oxford(const OxfordTruth& truth, const Rankings& rankings, const OxfordOptions& options,
                       const EvaluationProgress& progress) {
  const Measures measures(options);
  Scores scores{.protocol = "oxford",
                .subject = rankings.name(),
                .measures = measures.names(),
                .group_kind = "landmark",
                .queries = {}};
  GroundTruth judged{.names = {}, .topics = {}, .prefix = std::string(kOxfordPrefix), .origin = truth.folder};
  NameTable names;
  std::vector<Readings> readings(truth.queries.size());
  for (std::size_t q = 0; q < truth.queries.size(); ++q)
    judged.topics.push_back(topic_of(truth.queries[q], names, readings[q]));
  if (options.images) {
    add_images(*options.images, names);
    judged.names_are_all = true;
  }
  judged.names = names.all();

  if (rankings.queries_itself())
    scores.remarks.push_back(
        "the queries are whole pictures, which the protocol crops: --write-boxes, cbir-extract "
        "--boxes and --queries do that");
  remark_contradictions(truth, judged, scores);
  judge(
      rankings, judged,
      [&](std::size_t topic, const JudgedRanking& ranking) { return measures.measure(readings[topic], ranking); },
      options.details, progress, scores);
  return scores;
}

}  // namespace cbir
