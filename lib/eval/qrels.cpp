#include <cbir/eval/qrels.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <map>
#include <unordered_map>
#include <unordered_set>

#include <cbir/base/error.hpp>
#include <cbir/base/file.hpp>
#include <cbir/base/text.hpp>

#include "judge.hpp"
#include "lines.hpp"
#include "measures.hpp"
#include "name_table.hpp"

namespace cbir {
namespace {

/// Grades of a topic as ndcg wants them.
struct Gains {
  std::vector<double> of_judged;  ///< one for each of Topic::judged
  std::vector<double> ideal;      ///< those above 0, descending
};

Topic topic_of(const QrelsTopic& judged, std::int64_t relevance, NameTable& names, Gains& gains) {
  std::map<std::uint32_t, std::int64_t> grades;
  for (const Judgement& each : judged.judgements) grades.emplace(names.number(each.item), each.grade);
  Topic topic{.name = judged.name};
  for (const auto& [name, grade] : grades) {
    topic.judged.push_back(name);
    topic.marks.push_back(grade >= relevance ? Mark::relevant : Mark::irrelevant);
    topic.relevant += grade >= relevance;
    gains.of_judged.push_back(static_cast<double>(std::max<std::int64_t>(grade, 0)));
    if (grade > 0) gains.ideal.push_back(static_cast<double>(grade));
  }
  std::ranges::sort(gains.ideal, std::greater());
  return topic;
}

/// Normalised discounted cumulative gain over the first k (Järvelin and Kekäläinen, 2002), with trec_eval's gain, which
/// is the grade, and its discount, log2(rank + 1).
double ndcg(const JudgedRanking& ranking, const Gains& gains, std::uint64_t k) {
  const auto discounted = [](double gain, std::uint64_t rank) {
    return gain / std::log2(static_cast<double>(rank) + 1);
  };
  double found = 0, best = 0;
  for (const Placed& each : ranking.placed)
    if (each.rank <= k) found += discounted(gains.of_judged[each.judgement], each.rank);
  for (std::size_t i = 0; i < std::min<std::uint64_t>(gains.ideal.size(), k); ++i)
    best += discounted(gains.ideal[i], i + 1);
  return found / best;
}

}  // namespace

Qrels parse_qrels(std::string_view text, const std::string& name) {
  Qrels qrels{.file = name, .topics = {}};
  std::unordered_map<std::string, std::size_t> topics;
  std::vector<std::unordered_set<std::string>> judged;
  std::size_t number = 0;
  for (const std::string_view line : split(text, '\n')) {
    ++number;
    const auto fields = words_of(line.ends_with('\r') ? line.substr(0, line.size() - 1) : line);
    if (fields.empty()) continue;
    const auto fail = [&](std::string_view found) {
      throw DamagedFile(fmt::format("{}, line {}: {}; expected TREC qrels: topic iteration item grade",
                                    display_path(name), number, found));
    };
    if (fields.size() != 4) fail(fmt::format("found {}", counted(fields.size(), "column")));
    Judgement judgement{.item = percent_decode(fields[2]), .grade = 0};
    const char* end = fields[3].data() + fields[3].size();
    if (const auto parsed = std::from_chars(fields[3].data(), end, judgement.grade);
        parsed.ec != std::errc{} || parsed.ptr != end)
      fail(fmt::format("'{}' is no grade, which is a whole number", display_path(fields[3])));
    const std::string topic = percent_decode(fields[0]);
    const auto [found, fresh] = topics.try_emplace(topic, qrels.topics.size());
    if (fresh) {
      qrels.topics.push_back({topic, {}});
      judged.emplace_back();
    }
    if (!judged[found->second].insert(judgement.item).second)
      fail(fmt::format("{} is judged twice for topic {}", display_path(judgement.item), display_path(topic)));
    qrels.topics[found->second].judgements.push_back(std::move(judgement));
  }
  if (qrels.topics.empty()) throw MissingInput(fmt::format("{}: holds no judgement", display_path(name)));
  return qrels;
}

Qrels read_qrels(const std::string& path) {
  return parse_qrels(read_text(path), path == "-" ? "standard input" : path);
}

std::string to_text(const Qrels& qrels) {
  std::string text;
  for (const QrelsTopic& topic : qrels.topics)
    for (const Judgement& each : topic.judgements)
      text += fmt::format("{} 0 {} {}\n", percent_encode(topic.name), percent_encode(each.item), each.grade);
  return text;
}

Scores evaluate_qrels(const Qrels& qrels, const Rankings& rankings, const QrelsOptions& options,
                      const EvaluationProgress& progress) {
  if (options.relevance < 1) throw UsageError("the least grade that is relevant is 1 or more; 0 means irrelevant");
  GroundTruth judged{.names = {}, .topics = {}, .answers_itself = false, .origin = qrels.file};
  NameTable names;
  std::vector<Gains> gains(qrels.topics.size());
  std::uint64_t most = 0;
  for (std::size_t t = 0; t < qrels.topics.size(); ++t) {
    judged.topics.push_back(topic_of(qrels.topics[t], options.relevance, names, gains[t]));
    most = std::max(most, judged.topics.back().relevant);
  }
  judged.names = names.all();

  const RankMeasures measures(options.cutoffs, most);
  Scores scores{.protocol = "qrels", .subject = rankings.name(), .measures = measures.names(), .queries = {}};
  judge(
      rankings, judged,
      [&](std::size_t topic, const JudgedRanking& ranking) {
        std::vector<double> values(measures.size());
        measures.measure(ranking.clean_ranks(judged.topics[topic].marks), judged.topics[topic].relevant, values);
        const std::size_t first = values.size() - options.cutoffs.size();  // ndcg@k, which grades are for, comes last
        for (std::size_t c = 0; c < options.cutoffs.size(); ++c)
          values[first + c] = ndcg(ranking, gains[topic], options.cutoffs[c]);
        return values;
      },
      options.details, progress, scores);
  return scores;
}

}  // namespace cbir
