#include <cbir/eval/cutoff.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <iterator>
#include <mutex>
#include <nlohmann/json.hpp>
#include <unordered_map>

#include <cbir/base/error.hpp>
#include <cbir/base/text.hpp>
#include <cbir/eval/copies.hpp>

#include "copies.hpp"
#include "ranks.hpp"
#include "threshold.hpp"

namespace cbir {
namespace {

/// What is relevant to the queries that count.
struct Relevance {
  std::vector<std::size_t> queries;               ///< rows of the queries' collection
  std::vector<std::size_t> list_of;               ///< for each of these, which list is its own
  std::vector<std::vector<std::uint32_t>> lists;  ///< positions of relevant rows, ascending
  bool leave_one_out = false;                     ///< a query's own row is not relevant, and does not count
  std::uint64_t left_out_queries = 0;
  std::uint64_t never_found = 0;  ///< relevant pairs that there is no score of
  std::vector<std::string> remarks = {};
};

std::string queries_left_out(std::uint64_t count, const char* why) {
  return fmt::format("{} {} {}", count, count == 1 ? "query is left out, which" : "queries are left out, which", why);
}

Relevance relevance_of_labels(const LabelledRows& database, const LabelledRows* queries) {
  Relevance relevance;
  relevance.leave_one_out = queries == nullptr;
  std::unordered_map<std::string_view, std::size_t> numbers;
  std::uint64_t unlabelled_rows = 0;
  for (std::uint32_t row = 0; row < database.labels.size(); ++row) {
    if (!database.labels[row]) {
      ++unlabelled_rows;
      continue;
    }
    const auto [found, fresh] = numbers.try_emplace(*database.labels[row], relevance.lists.size());
    if (fresh) relevance.lists.emplace_back();
    relevance.lists[found->second].push_back(row);
  }
  const auto& labels = queries ? queries->labels : database.labels;
  for (std::size_t query = 0; query < labels.size(); ++query) {
    if (!labels[query]) {
      ++relevance.left_out_queries;
      continue;
    }
    const auto [found, fresh] = numbers.try_emplace(*labels[query], relevance.lists.size());
    if (fresh) relevance.lists.emplace_back();  // nothing is relevant, and every pair wrong
    relevance.queries.push_back(query);
    relevance.list_of.push_back(found->second);
  }
  if (relevance.left_out_queries)
    relevance.remarks.push_back(queries_left_out(relevance.left_out_queries, "have no label"));
  if (unlabelled_rows)
    relevance.remarks.push_back(fmt::format("{} without a label {} wrong to every query",
                                            counted(unlabelled_rows, "row"), unlabelled_rows == 1 ? "is" : "are"));
  return relevance;
}

/// Every row that answers to the name of a copy's original is relevant to the copy.
Relevance relevance_of_copies(const std::vector<CopyTruth>& truth, const std::vector<std::string>& rows,
                              const std::vector<std::string>& queries) {
  demand_originals(truth);
  Relevance relevance;
  const CopyNames copies(truth);
  const RowNames names(rows);
  std::vector<bool> asked(truth.size());
  for (std::size_t query = 0; query < queries.size(); ++query) {
    const auto copy = copies.find(queries[query]);
    if (!copy) {
      ++relevance.left_out_queries;
      continue;
    }
    if (asked[*copy])
      throw Incompatible(fmt::format("{} stands for a copy that another query is, too: {}",
                                     display_path(queries[query]), display_path(truth[*copy].copy)));
    asked[*copy] = true;
    relevance.queries.push_back(query);
    relevance.list_of.push_back(relevance.lists.size());
    const std::string& original = truth[*copy].original;
    relevance.lists.push_back(original.empty() ? std::vector<std::uint32_t>() : names.find(original));
    if (!original.empty() && relevance.lists.back().empty()) ++relevance.never_found;
  }
  if (relevance.queries.empty()) refuse_strangers(queries.front(), truth.front().copy);
  std::uint64_t missing = 0;
  for (std::size_t i = 0; i < truth.size(); ++i) {
    if (asked[i]) continue;
    ++missing;
    relevance.never_found += !truth[i].original.empty();
  }
  if (relevance.left_out_queries)
    relevance.remarks.push_back(queries_left_out(relevance.left_out_queries, "the manifest does not name"));
  if (missing)
    relevance.remarks.push_back(fmt::format("{} of {} of the manifest {} no query and {} as not found", missing,
                                            truth.size() == 1 ? "1 copy" : fmt::format("{} copies", truth.size()),
                                            missing == 1 ? "is" : "are", missing == 1 ? "counts" : "count"));
  return relevance;
}

Relevance relevance_of(const CutoffRequest& request, const Collection& database, const Collection* queries) {
  if (request.manifest) {
    if (!queries) throw UsageError("a manifest needs the queries that it speaks of: --queries SET");
    return relevance_of_copies(read_copy_manifest(*request.manifest), database.labelled_rows(nullptr).names,
                               queries->labelled_rows(nullptr).names);
  }
  std::optional<LabelTable> table;
  if (request.labels) table.emplace(*request.labels);
  const LabelledRows rows = database.labelled_rows(table ? &*table : nullptr);
  if (!queries) return relevance_of_labels(rows, nullptr);
  const LabelledRows asking = queries->labelled_rows(table ? &*table : nullptr);
  return relevance_of_labels(rows, &asking);
}

/// Hands on blocks of queries with what is relevant to each.
JudgedSource judged_source(const Collection& database, const Collection& queries, const Relevance& relevance,
                           const EvaluationProgress& progress) {
  return [&](std::size_t step, const std::function<void(std::span<const JudgedRow>)>& consume) {
    std::vector<std::size_t> asked;  // which of those that count
    for (std::size_t i = 0; i < relevance.queries.size(); i += step) asked.push_back(i);
    std::vector<std::size_t> query_rows;
    for (const std::size_t i : asked) query_rows.push_back(relevance.queries[i]);
    std::mutex mutex;
    std::uint64_t done = 0;
    database.score_rows(queries, query_rows, [&](std::size_t first, MatrixView<const float> block) {
      std::vector<JudgedRow> rows(block.rows);
      std::vector<std::vector<std::uint32_t>> others(block.rows);
      std::vector<std::uint32_t> selves(block.rows);
      for (std::size_t i = 0; i < block.rows; ++i) {
        rows[i] = {
            .scores = block.row(i), .relevant = relevance.lists[relevance.list_of[asked[first + i]]], .left_out = {}};
        if (find_not_finite(rows[i].scores) != rows[i].scores.size())
          throw DamagedFile(fmt::format("{}: scores of row {} are not finite; its numbers are too large to be compared",
                                        display_path(queries.name()), query_rows[first + i]));
        if (!relevance.leave_one_out) continue;
        selves[i] = static_cast<std::uint32_t>(query_rows[first + i]);
        std::ranges::remove_copy(rows[i].relevant, std::back_inserter(others[i]), selves[i]);
        rows[i].relevant = others[i];
        rows[i].left_out = std::span(selves).subspan(i, 1);
      }
      consume(rows);
      if (!progress || step > 1) return;
      const std::lock_guard lock(mutex);
      progress(done += block.rows, query_rows.size());
    });
  };
}

/// Nine significant digits, not above. Numbers of float32 lie further apart, so that no other one is passed.
double nine_digits(double score) {
  if (score == 0) return 0;
  const auto rounded = [](double value) { return std::strtod(fmt::format("{:.8e}", value).c_str(), nullptr); };
  if (const double nearest = rounded(score); nearest <= score) return nearest;
  return rounded(score - std::pow(10, std::floor(std::log10(std::abs(score))) - 8) / 2);
}

/// Name and value, in order.
nlohmann::ordered_json fields(const CutoffReport& report) {
  return {{"cutoff", report.score},   {"precision", report.precision},           {"recall", report.recall},
          {"pairs", report.pairs},    {"relevant_pairs", report.relevant_pairs}, {"all_pairs", report.all_pairs},
          {"queries", report.queries}};
}

}  // namespace

CutoffReport find_cutoff(const CutoffRequest& request, const EvaluationProgress& progress) {
  if (!(request.precision > 0 && request.precision <= 1))
    throw UsageError(fmt::format("precision {}: expected a number above 0, at most 1", request.precision));
  const Collection database = Collection::open(request.database, request.metric);
  std::optional<Collection> others;
  if (request.queries) {
    others = Collection::open(*request.queries, std::nullopt);
    database.check_queries(*others, request.allow_mismatch);
  }
  if (database.rows() > UINT32_MAX)
    throw ResourceLimit(fmt::format("{} rows: an evaluation takes fewer than {}", database.rows(), UINT32_MAX));
  const Relevance relevance = relevance_of(request, database, others ? &*others : nullptr);
  const ThresholdSearch search =
      find_threshold(judged_source(database, others ? *others : database, relevance, progress),
                     relevance.queries.size(), request.precision);
  if (search.relevant == 0)
    throw MissingInput(fmt::format("{}: no query has anything relevant in it, so that nothing can be said of a cut-off",
                                   display_path(request.database)));
  const auto relevant = static_cast<double>(search.relevant + relevance.never_found);
  if (!search.lowest)
    throw MissingInput(fmt::format(
        "{}: no cut-off holds a precision of {}; {:.6f} is reached, by the {} that score {} or more (recall {:.6f})",
        display_path(request.database), request.precision, search.best.precision(),
        counted(search.best.right + search.best.wrong, "pair"), nine_digits(search.best.threshold),
        static_cast<double>(search.best.right) / relevant));
  const std::uint64_t rows = database.rows() - (relevance.leave_one_out ? 1 : 0);
  return {.score = nine_digits(search.lowest->threshold),
          .precision = search.lowest->precision(),
          .recall = static_cast<double>(search.lowest->right) / relevant,
          .pairs = search.lowest->right + search.lowest->wrong,
          .relevant_pairs = search.relevant + relevance.never_found,
          .queries = relevance.queries.size(),
          .all_pairs = relevance.queries.size() * rows,
          .remarks = relevance.remarks};
}

std::string to_tsv(const CutoffReport& report) {
  const nlohmann::ordered_json known = fields(report);
  std::string out;
  for (const auto& [name, value] : known.items()) {
    const bool fraction = value.is_number_float() && name != "cutoff";
    out += fmt::format("{}\t{}\n", name, fraction ? fmt::format("{:.6f}", value.get<double>()) : value.dump());
  }
  return out;
}

std::string to_json(const CutoffReport& report) { return fields(report).dump() + "\n"; }

}  // namespace cbir
