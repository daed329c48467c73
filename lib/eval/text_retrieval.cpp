#include <cbir/eval/text_retrieval.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <mutex>
#include <numeric>
#include <unordered_map>

#include <cbir/base/error.hpp>
#include <cbir/base/file.hpp>
#include <cbir/base/text.hpp>
#include <cbir/eval/rankings.hpp>

#include "judge.hpp"
#include "judge_details.hpp"
#include "name_table.hpp"
#include "names.hpp"

namespace cbir {
namespace {

using Rows = std::vector<std::vector<std::uint32_t>>;  ///< for each row the others that are relevant to it, ascending

struct Pairs {
  Rows of_text, of_image;
  std::uint64_t lost = 0;  ///< lines whose picture or text neither set has
  std::vector<std::string> lost_names;
};

void sort_rows(Rows& rows) {
  for (auto& row : rows) {
    std::ranges::sort(row);
    row.erase(std::unique(row.begin(), row.end()), row.end());
  }
}

/// A line of the TSV.
struct PairLine {
  std::uint32_t image = 0, text = 0;  ///< numbers of names
};

std::vector<PairLine> read_pairs(const std::string& path, NameTable& images, NameTable& texts) {
  std::vector<PairLine> lines;
  const std::string content = read_text(path);
  std::size_t number = 0;
  for (const std::string_view line : split(content, '\n')) {
    ++number;
    if (line.empty() || line == "\r") continue;
    const auto fields = split(line.ends_with('\r') ? line.substr(0, line.size() - 1) : line, '\t');
    if (fields.size() < 2)
      throw DamagedFile(
          fmt::format("{}, line {}: found one column; expected a picture's path and its text, with a tab "
                      "between them",
                      display_path(path), number));
    lines.push_back({images.number(tsv_unescape(fields[0])), texts.number(tsv_unescape(fields[1]))});
  }
  if (lines.empty()) throw MissingInput(fmt::format("{}: holds no pair", display_path(path)));
  return lines;
}

Pairs pairs_of_file(const std::string& path, const std::vector<std::string>& texts,
                    const std::vector<std::string>& images) {
  NameTable image_names, text_names;
  const auto lines = read_pairs(path, image_names, text_names);
  const NameMatch image_match = match_names(images, image_names.all());
  std::unordered_map<std::string_view, std::vector<std::uint32_t>> rows_of_text;
  for (std::uint32_t row = 0; row < texts.size(); ++row) rows_of_text[texts[row]].push_back(row);

  Pairs pairs{.of_text = Rows(texts.size()), .of_image = Rows(images.size()), .lost_names = {}};
  for (const PairLine& line : lines) {
    const auto& image_rows = image_match.items[line.image];
    const auto found = rows_of_text.find(text_names.all()[line.text]);
    if (image_rows.empty() || found == rows_of_text.end()) {
      ++pairs.lost;
      pairs.lost_names.push_back(image_rows.empty() ? image_names.all()[line.image] : text_names.all()[line.text]);
      continue;
    }
    for (const std::uint32_t text : found->second) {
      for (const std::uint32_t image : image_rows) {
        pairs.of_text[text].push_back(image);
        pairs.of_image[image].push_back(text);
      }
    }
  }
  sort_rows(pairs.of_text);
  sort_rows(pairs.of_image);
  return pairs;
}

Pairs pairs_of_labels(const std::vector<std::optional<std::string>>& texts,
                      const std::vector<std::optional<std::string>>& images) {
  std::unordered_map<std::string_view, std::vector<std::uint32_t>> with_label;
  for (std::uint32_t row = 0; row < images.size(); ++row)
    if (images[row]) with_label[*images[row]].push_back(row);
  Pairs pairs{.of_text = Rows(texts.size()), .of_image = Rows(images.size()), .lost_names = {}};
  for (std::uint32_t text = 0; text < texts.size(); ++text) {
    if (!texts[text]) continue;
    const auto found = with_label.find(*texts[text]);
    if (found == with_label.end()) continue;
    pairs.of_text[text] = found->second;
    for (const std::uint32_t image : found->second) pairs.of_image[image].push_back(text);
  }
  return pairs;
}

double median(std::vector<double> values) {
  if (values.empty()) return kNoValue;
  std::ranges::sort(values);
  const std::size_t middle = values.size() / 2;
  return values.size() % 2 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

/// One of the two ways.
struct Direction {
  std::string group, short_name;  ///< "text to image", "t2i"
  std::string database, queries;
  const Rows& relevant;  ///< for each query, rows of the database
  Texts texts;
};

/// Its queries, with values of its own measures alone: hit@k, then the rank.
Scores evaluate(const Direction& direction, const TextRetrieval& plan, const EvaluationProgress& progress) {
  const Rankings rankings = Rankings::open({.name = direction.database,
                                            .queries = direction.queries,
                                            .metric = plan.metric,
                                            .allow_mismatch = plan.allow_mismatch});
  Scores scores;
  GroundTruth truth{.names = rankings.items(), .topics = {}};
  NameMatch itself;  // names are rows
  itself.of_item.resize(truth.names.size());
  std::iota(itself.of_item.begin(), itself.of_item.end(), 0U);

  std::vector<std::size_t> chosen;
  for (std::size_t query = 0; query < direction.relevant.size(); ++query) {
    const auto& relevant = direction.relevant[query];
    if (relevant.empty()) continue;
    chosen.push_back(query);
    truth.topics.push_back({.name = rankings.queries()[query],
                            .judged = relevant,
                            .marks = std::vector<Mark>(relevant.size(), Mark::relevant),
                            .relevant = relevant.size()});
    scores.queries.push_back({.query = rankings.queries()[query],
                              .group = direction.group,
                              .relevant = relevant.size(),
                              .values = {},
                              .texts = direction.texts});
  }
  DetailCollector collector(rankings, truth, itself, plan.details);
  std::mutex mutex;
  std::uint64_t done = 0;
  rankings.each(chosen, [&](std::size_t i, const QueryRanking& ranking) {
    JudgedRanking judged{.placed = {}, .size = ranking.size()};
    const Topic& topic = truth.topics[i];
    for (const RankedItem& found : ranking.find(topic.judged))
      judged.placed.push_back(
          {static_cast<std::size_t>(std::ranges::lower_bound(topic.judged, found.item) - topic.judged.begin()),
           found.item, found.rank, found.score});
    const std::uint64_t first = judged.placed.front().rank;
    for (const std::size_t k : plan.cutoffs) scores.queries[i].values.push_back(first <= k ? 1 : 0);
    scores.queries[i].values.push_back(static_cast<double>(first));
    collector.add(ranking, topic, judged, {}, scores.queries[i]);
    const std::lock_guard lock(mutex);
    if (progress) progress(++done, chosen.size());
  });
  collector.finish(scores);
  return scores;
}

/// Joins one way's queries to all, its values after those of `before` other measures.
void append(Scores& all, Scores one, const std::string& short_name, std::size_t before) {
  const auto offset = static_cast<std::uint32_t>(all.items.size());
  std::vector<double> ranks;
  for (QueryScores& query : one.queries) {
    ranks.push_back(query.values.back());
    std::vector<double> values(all.measures.size(), kNoValue);
    std::ranges::copy(query.values, values.begin() + static_cast<std::ptrdiff_t>(before));
    query.values = std::move(values);
    for (JudgedItem& item : query.top) item.item += offset;
    for (JudgedItem& item : query.missed) item.item += offset;
    all.queries.push_back(std::move(query));
  }
  all.items.insert(all.items.end(), std::make_move_iterator(one.items.begin()),
                   std::make_move_iterator(one.items.end()));
  all.totals.push_back({short_name + "_median_rank", median(std::move(ranks))});
}

std::uint64_t without_pair(const Rows& rows) {
  return static_cast<std::uint64_t>(std::ranges::count_if(rows, [](const auto& row) { return row.empty(); }));
}

/// Counts, and remarks on what has no partner.
void report(const Pairs& pairs, Scores& scores) {
  const std::uint64_t lonely_texts = without_pair(pairs.of_text), lonely_images = without_pair(pairs.of_image);
  scores.counts = {{"texts", pairs.of_text.size()},
                   {"images", pairs.of_image.size()},
                   {"texts_unpaired", lonely_texts},
                   {"images_unpaired", lonely_images},
                   {"pairs_missing", pairs.lost}};
  if (lonely_texts)
    scores.remarks.push_back(
        fmt::format("{} without a picture asked for nothing, and {} a wrong answer to every picture",
                    counted(lonely_texts, "text"), lonely_texts == 1 ? "is" : "are"));
  if (lonely_images)
    scores.remarks.push_back(fmt::format("{} without a text asked for nothing, and {} a wrong answer to every text",
                                         counted(lonely_images, "picture"), lonely_images == 1 ? "is" : "are"));
  if (pairs.lost) {
    const std::vector<std::string_view> names(pairs.lost_names.begin(), pairs.lost_names.end());
    scores.remarks.push_back(fmt::format("{} left out, whose picture or text the sets lack: {}",
                                         pairs.lost == 1 ? "1 pair is" : fmt::format("{} pairs are", pairs.lost),
                                         name_some(names)));
  }
}

}  // namespace

Scores evaluate_text_retrieval(const TextRetrieval& plan, const EvaluationProgress& progress) {
  Scores scores{.protocol = "text", .measures = {}, .group_kind = "direction", .queries = {}};
  scores.subject = fmt::format("{} and {}", plan.texts, plan.images);
  for (const char* direction : {"t2i", "i2t"}) {
    for (const std::size_t k : plan.cutoffs) {
      if (k == 0) throw UsageError("a cut-off of 0 makes no sense; give numbers from 1");
      scores.measures.push_back(fmt::format("{}_hit@{}", direction, k));
    }
    scores.measures.push_back(fmt::format("{}_rank", direction));
  }

  Pairs pairs;
  {
    const Collection texts = Collection::open(plan.texts, plan.metric);
    const Collection images = Collection::open(plan.images, plan.metric);
    texts.check_queries(images, plan.allow_mismatch);
    pairs = plan.pairs
                ? pairs_of_file(*plan.pairs, texts.labelled_rows(nullptr).names, images.labelled_rows(nullptr).names)
                : pairs_of_labels(texts.labelled_rows(nullptr).labels, images.labelled_rows(nullptr).labels);
  }
  if (without_pair(pairs.of_text) == pairs.of_text.size())
    throw MissingInput(
        plan.pairs
            ? fmt::format("{}: no line names a picture of {} and a text of {}", display_path(*plan.pairs),
                          display_path(plan.images), display_path(plan.texts))
            : fmt::format("no row of {} has the label of a row of {}; --pairs FILE.tsv says what belongs together",
                          display_path(plan.texts), display_path(plan.images)));

  const Direction to_image{.group = "text to image",
                           .short_name = "t2i",
                           .database = plan.images,
                           .queries = plan.texts,
                           .relevant = pairs.of_text,
                           .texts = Texts::query};
  const Direction to_text{.group = "image to text",
                          .short_name = "i2t",
                          .database = plan.texts,
                          .queries = plan.images,
                          .relevant = pairs.of_image,
                          .texts = Texts::items};
  Scores found = evaluate(to_image, plan, progress);
  scores.precision_at = std::move(found.precision_at);
  scores.distribution = std::move(found.distribution);
  append(scores, std::move(found), to_image.short_name, 0);
  append(scores, evaluate(to_text, plan, progress), to_text.short_name, plan.cutoffs.size() + 1);

  report(pairs, scores);
  return scores;
}

}  // namespace cbir
