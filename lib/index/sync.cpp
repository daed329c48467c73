#include <algorithm>
#include <cstring>
#include <map>
#include <tuple>

#include <cbir/base/error.hpp>
#include <cbir/base/hash.hpp>
#include <cbir/base/parallel.hpp>

#include "lib/index/change.hpp"
#include "lib/index/sets.hpp"

namespace cbir {
namespace {

/// Some rows of a set.
class ChosenRows : public RowSource {
 public:
  ChosenRows(const SetRows& rows, std::vector<std::uint64_t> chosen) : rows_(rows), chosen_(std::move(chosen)) {}

  std::uint64_t size() const override { return chosen_.size(); }
  std::size_t dim() const override { return rows_.dim(); }
  void vectors(std::uint64_t first, std::size_t count, float* out, std::size_t stride) const override {
    for (std::size_t i = 0; i < count; ++i) rows_.vectors(chosen_[first + i], 1, out + i * stride, stride);
  }
  StoredRow row(std::uint64_t i) const override { return rows_.row(chosen_[i]); }

 private:
  const SetRows& rows_;
  std::vector<std::uint64_t> chosen_;
};

/// A row of the set or of the index, by its path.
template <typename Row>
struct Named {
  std::uint64_t hash = 0;  ///< of the path
  Row row = {};
};

std::vector<Named<std::uint64_t>> names_of(const SetRows& rows) {
  std::vector<Named<std::uint64_t>> names(rows.size());
  parallel_blocks(names.size(), 256, [&](std::size_t begin, std::size_t end) {
    for (std::size_t i = begin; i < end; ++i) names[i] = {xxh3_64(as_bytes(rows.info(i).path)), i};
  });
  std::ranges::stable_sort(names, {}, &Named<std::uint64_t>::hash);
  return names;
}

std::vector<Named<RowPlace>> names_of(const OpenedIndex& index) {
  std::vector<Named<RowPlace>> names;
  names.reserve(index.info.rows);
  for (std::size_t s = 0; s < index.segments.size(); ++s)
    for (std::size_t row = 0; row < index.segments[s].size(); ++row)
      if (index.live[s][row]) names.push_back({index.segments[s].path_hashes[row], {s, row}});
  std::ranges::stable_sort(names, {}, &Named<RowPlace>::hash);
  return names;
}

/// A row that both have, by its path.
struct Pair {
  std::uint64_t of_set = 0;
  RowPlace of_index;
  bool same = false;
};

/// What is in the set alone, in the index alone, and in both. Of rows that share a path the first belongs to the first.
struct Match {
  std::vector<std::uint64_t> new_rows;
  std::vector<RowPlace> old_rows;
  std::vector<Pair> pairs;
};

Match match_paths(const SetRows& rows, const OpenedIndex& index) {
  const auto wanted = names_of(rows);
  const auto there = names_of(index);
  Match match;
  auto a = wanted.begin();
  auto b = there.begin();
  while (a != wanted.end() || b != there.end()) {
    if (b == there.end() || (a != wanted.end() && a->hash < b->hash)) match.new_rows.push_back((a++)->row);
    else if (a == wanted.end() || b->hash < a->hash) match.old_rows.push_back((b++)->row);
    else match.pairs.push_back({(a++)->row, (b++)->row});
  }
  return match;
}

/// Where a row stands in its list, and when its file was touched, change without it.
RowInfo essence(RowInfo row) {
  row.seq.reset();
  row.mtime.reset();
  return row;
}

/// Compares what the pairs hold: descriptions, and vectors as the index has them.
void compare(const SetRows& rows, const OpenedIndex& index, std::vector<Pair>& pairs) {
  const std::size_t dim = rows.dim();
  parallel_blocks(pairs.size(), 64, [&](std::size_t begin, std::size_t end) {
    std::vector<float> vector(dim);
    for (std::size_t i = begin; i < end; ++i) {
      Pair& pair = pairs[i];
      const Segment& segment = index.segments[pair.of_index.segment];
      rows.vectors(pair.of_set, 1, vector.data(), dim);
      pair.same = std::memcmp(vector.data(), segment.vectors.row(pair.of_index.row).data(), dim * sizeof(float)) == 0 &&
                  essence(rows.info(pair.of_set)) == essence(index.parse(segment, pair.of_index.row));
    }
  });
}

/// How many of the new rows have the content of an old one: the same file at another path.
std::uint64_t count_moved(const SetRows& rows, const OpenedIndex& index, const Match& match) {
  using Key = std::tuple<std::string, std::optional<RowBox>>;
  std::map<Key, std::uint64_t> gone;
  for (const RowPlace& place : match.old_rows) {
    const RowInfo row = index.parse(index.segments[place.segment], place.row);
    if (!row.xxh3.empty()) ++gone[{row.xxh3, row.box}];
  }
  std::uint64_t moved = 0;
  for (const std::uint64_t i : match.new_rows) {
    const RowInfo row = rows.info(i);
    const auto found = gone.find({row.xxh3, row.box});
    if (found == gone.end() || found->second == 0) continue;
    --found->second;
    ++moved;
  }
  return moved;
}

}  // namespace

SyncReport sync_rows(ContainerAppender& appender, const std::vector<EmbeddingSet>& sets, bool allow_mismatch) {
  const OpenedIndex index(appender.take_current());
  for (const EmbeddingSet& set : sets) check_fits(index, set, allow_mismatch);
  const SetRows rows(sets, index.meta.metric == Metric::cosine);
  Match match = match_paths(rows, index);
  compare(rows, index, match.pairs);

  SyncReport report;
  report.moved = count_moved(rows, index, match);
  report.added = match.new_rows.size() - report.moved;
  report.removed = match.old_rows.size() - report.moved;
  std::vector<std::uint64_t> added = std::move(match.new_rows);
  std::vector<RowPlace> removed = std::move(match.old_rows);
  for (const Pair& pair : match.pairs) {
    ++(pair.same ? report.unchanged : report.changed);
    if (pair.same) continue;
    added.push_back(pair.of_set);
    removed.push_back(pair.of_index);
  }
  report.rows = rows.size();
  report.bytes = index.info.bytes;
  if (added.empty() && removed.empty()) return report;

  std::ranges::sort(added);
  std::uint64_t next_id = index.container.root().next_id;
  if (!added.empty()) next_id = append_segment(appender, index, ChosenRows(rows, std::move(added)));
  update_normalization(appender, index, sets);
  write_tombstones(appender, index, removed);
  report.bytes = appender.commit(next_id);
  return report;
}

SyncReport sync_index(const std::string& path, const std::vector<std::string>& names, bool allow_mismatch) {
  const std::vector<EmbeddingSet> sets = open_sets(names, allow_mismatch);
  shards_of(sets, false);
  ContainerAppender appender(path);
  return sync_rows(appender, sets, allow_mismatch);
}

}  // namespace cbir
