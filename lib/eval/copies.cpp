#include <cbir/eval/copies.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <unordered_map>
#include <unordered_set>

#include <cbir/base/error.hpp>
#include <cbir/base/file.hpp>
#include <cbir/base/text.hpp>

namespace cbir {
namespace {

std::string_view without_dot(std::string_view path) {
  while (path.starts_with("./")) path.remove_prefix(2);
  return path;
}

/// Whether `part` is `path` or whole trailing components of it.
bool is_tail(std::string_view part, std::string_view path) {
  part = without_dot(part);
  path = without_dot(path);
  if (path.size() == part.size()) return path == part;
  return path.ends_with(part) && !part.starts_with('/') && path[path.size() - part.size() - 1] == '/';
}

/// Finds the copy that a query is.
class Copies {
 public:
  explicit Copies(const std::vector<CopyTruth>& truth) : truth_(truth) {
    for (std::size_t i = 0; i < truth.size(); ++i) by_base_name_.emplace(base_name(truth[i].copy), i);
  }

  std::optional<std::size_t> find(std::string_view query) const {
    std::optional<std::size_t> longest;
    const auto [begin, end] = by_base_name_.equal_range(base_name(query));
    for (auto each = begin; each != end; ++each) {
      const std::string& copy = truth_[each->second].copy;
      if (is_tail(copy, query) && (!longest || copy.size() > truth_[*longest].copy.size())) longest = each->second;
    }
    return longest;
  }

 private:
  const std::vector<CopyTruth>& truth_;
  std::unordered_multimap<std::string, std::size_t> by_base_name_;
};

/// Sums until finish() makes means of them. Rank 0: not found.
void count(CopyScores& scores, std::uint64_t rank) {
  ++scores.queries;
  if (rank == 0) return;
  scores.first_count += rank == 1;
  scores.mrr += 1 / static_cast<double>(rank);
  scores.recall_10 += rank <= 10;
}

void finish(CopyScores& scores) {
  const auto queries = static_cast<double>(scores.queries);
  scores.first = static_cast<double>(scores.first_count) / queries;
  scores.mrr /= queries;
  scores.recall_10 /= queries;
}

std::uint64_t rank_of(const std::string& original, const std::vector<std::string>& results) {
  const auto found = std::ranges::find_if(results, [&](const std::string& path) { return is_tail(original, path); });
  return found == results.end() ? 0 : static_cast<std::uint64_t>(found - results.begin()) + 1;
}

}  // namespace

std::vector<CopyTruth> parse_copy_manifest(std::string_view text, const std::string& name) {
  std::vector<CopyTruth> truth;
  std::unordered_set<std::string> seen;
  std::size_t number = 0;
  for (const std::string_view line : split(text, '\n')) {
    ++number;
    if (line.empty()) continue;
    const auto fields = split(line, '\t');
    if (fields.size() < 3)
      throw DamagedFile(
          fmt::format("{}, line {}: found {}; expected copy, original and attack between tabs, as "
                      "cbir-doctor writes them",
                      display_path(name), number, counted(fields.size(), "column")));
    truth.push_back({tsv_unescape(fields[0]), tsv_unescape(fields[1]), tsv_unescape(fields[2])});
    if (!seen.insert(truth.back().copy).second)
      throw DamagedFile(fmt::format("{}, line {}: copy {} stands twice", display_path(name), number,
                                    display_path(truth.back().copy)));
  }
  if (truth.empty()) throw MissingInput(fmt::format("{}: names no copies", display_path(name)));
  return truth;
}

std::vector<CopyTruth> read_copy_manifest(const std::string& path) {
  return parse_copy_manifest(read_text(path), path == "-" ? "standard input" : path);
}

CopyReport evaluate_copies(const std::vector<CopyTruth>& truth, const std::vector<RankedQuery>& ranking) {
  CopyReport report;
  const Copies copies(truth);
  std::vector<const RankedQuery*> ranking_of(truth.size());
  for (const RankedQuery& query : ranking) {
    const auto copy = copies.find(query.query);
    if (!copy) {
      ++report.unknown_queries;
      continue;
    }
    if (ranking_of[*copy])
      throw Incompatible(fmt::format("queries {} and {} are the same copy, {}; expected one ranking of each",
                                     display_path(ranking_of[*copy]->query), display_path(query.query),
                                     display_path(truth[*copy].copy)));
    ranking_of[*copy] = &query;
    report.longest = std::max<std::uint64_t>(report.longest, query.results.size());
  }
  if (report.unknown_queries == ranking.size())
    throw Incompatible(
        fmt::format("no query of the ranking is a copy that the manifest names: the ranking has {}, the "
                    "manifest {}",
                    display_path(ranking.front().query), display_path(truth.front().copy)));

  std::unordered_map<std::string_view, std::size_t> attacks;
  for (std::size_t i = 0; i < truth.size(); ++i) {
    if (!ranking_of[i]) report.missing.push_back(truth[i].copy);
    const std::uint64_t rank = ranking_of[i] ? rank_of(truth[i].original, ranking_of[i]->results) : 0;
    report.any_found = report.any_found || rank != 0;
    const auto [attack, fresh] = attacks.try_emplace(truth[i].attack, report.per_attack.size());
    if (fresh) report.per_attack.emplace_back(truth[i].attack, CopyScores{});
    count(report.per_attack[attack->second].second, rank);
    count(report.all, rank);
  }
  finish(report.all);
  for (auto& [attack, scores] : report.per_attack) finish(scores);
  return report;
}

}  // namespace cbir
