#include "lib/index/row_source.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <optional>

#include <cbir/base/error.hpp>
#include <cbir/base/hash.hpp>
#include <cbir/base/parallel.hpp>
#include <cbir/base/text.hpp>
#include <cbir/index/vectors.hpp>

#include "lib/index/find_rows.hpp"

namespace cbir {
namespace {

/// Which of the parts that begin at `firsts` holds number i; the last entry is the end.
std::size_t part_of(const std::vector<std::uint64_t>& firsts, std::uint64_t i) {
  return static_cast<std::size_t>(std::upper_bound(firsts.begin(), firsts.end(), i) - firsts.begin()) - 1;
}

/// Numbers of rows by the places in a list that they say they have. Rows of one part that have the same place (regions
/// of one picture) stay in their order. Throws Incompatible.
std::vector<std::uint64_t> order_of(const std::vector<std::optional<std::uint64_t>>& seqs,
                                    const std::vector<std::uint64_t>& firsts, const std::string& name) {
  std::vector<std::uint64_t> order(seqs.size());
  std::iota(order.begin(), order.end(), 0);
  std::ranges::stable_sort(order, {}, [&](std::uint64_t i) { return seqs[i]; });
  for (std::size_t i = 0; i < order.size(); ++i)
    if (!seqs[order[i]] ||
        (i > 0 && seqs[order[i]] == seqs[order[i - 1]] && part_of(firsts, order[i]) != part_of(firsts, order[i - 1])))
      throw Incompatible(fmt::format("{} and its like cannot be joined as parts of a list: rows {}", display_path(name),
                                     seqs[order[i]] ? fmt::format("stand at the same place, {}", *seqs[order[i]])
                                                    : "do not say where they stand"));
  return order;
}

}  // namespace

SetRows::SetRows(std::span<const EmbeddingSet> sets, bool normalize, const std::uint64_t* first_name)
    : sets_(sets),
      firsts_({0}),
      normalize_(normalize),
      renames_(first_name),
      first_name_(first_name ? *first_name : 0) {
  for (const EmbeddingSet& set : sets) firsts_.push_back(firsts_.back() + set.rows());
  if (sets.size() > 1 && sets.front().manifest() && sets.front().manifest()->shards) sort_by_seq();
}

void SetRows::sort_by_seq() {
  std::vector<std::optional<std::uint64_t>> seqs(size());
  parallel_blocks(seqs.size(), 256, [&](std::size_t begin, std::size_t end) {
    for (std::size_t i = begin; i < end; ++i) seqs[i] = info(i).seq;
  });
  order_ = order_of(seqs, firsts_, sets_.front().name());
}

SetRows::Place SetRows::place(std::uint64_t i) const {
  if (!order_.empty()) i = order_[i];
  const std::size_t set = part_of(firsts_, i);
  return {set, i - firsts_[set]};
}

void SetRows::vectors(std::uint64_t first, std::size_t count, float* out, std::size_t stride) const {
  while (count > 0) {
    const Place from = place(first);
    const std::size_t here =
        order_.empty() ? std::min<std::uint64_t>(count, sets_[from.set].rows() - from.row) : std::size_t{1};
    read(from, here, out, stride);
    first += here;
    count -= here;
    out += here * stride;
  }
}

/// Successive rows of one set.
void SetRows::read(const Place& place, std::size_t count, float* out, std::size_t stride) const {
  const EmbeddingSet& set = sets_[place.set];
  set.matrix().read(place.row, count, out, stride);
  std::vector<VectorState> states(count);
  parallel_blocks(count, 64, [&](std::size_t begin, std::size_t end) {
    for (std::size_t i = begin; i < end; ++i)
      states[i] = prepare_vector(std::span(out + i * stride, set.dim()), normalize_);
  });
  for (std::size_t i = 0; i < count; ++i)
    if (states[i] != VectorState::fine)
      refuse_vector(set.name(), place.row + i, set.row(place.row + i).path, states[i]);
}

RowInfo SetRows::info(std::uint64_t i) const {
  const Place at = place(i);
  RowInfo out = sets_[at.set].row(at.row);
  if (renamed(at.set)) out.path = std::to_string(first_name_ + i);
  return out;
}

StoredRow SetRows::row(std::uint64_t i) const {
  const Place at = place(i);
  const RowInfo known = info(i);
  return {.line = renamed(at.set) ? to_json_line(known) : sets_[at.set].row_line(at.row),
          .path_hash = xxh3_64(as_bytes(known.path)),
          .label_hash = label_hash(known)};
}

IndexRows::IndexRows(std::vector<const OpenedIndex*> indexes) : indexes_(std::move(indexes)), firsts_({0}) {
  for (const OpenedIndex* index : indexes_) firsts_.push_back(firsts_.back() + index->info.rows);
  if (indexes_.size() < 2 || !indexes_.front()->meta.shards) return;
  std::vector<std::optional<std::uint64_t>> seqs(size());
  parallel_blocks(seqs.size(), 256, [&](std::size_t begin, std::size_t end) {
    for (std::size_t i = begin; i < end; ++i) {
      RowPlace place;
      const OpenedIndex& index = index_of(i, place);
      seqs[i] = index.parse(index.segments[place.segment], place.row).seq;
    }
  });
  order_ = order_of(seqs, firsts_, indexes_.front()->container.name());
}

const OpenedIndex& IndexRows::index_of(std::uint64_t i, RowPlace& place) const {
  if (!order_.empty()) i = order_[i];
  const std::size_t number = part_of(firsts_, i);
  place = indexes_[number]->place(i - firsts_[number]);
  return *indexes_[number];
}

void IndexRows::vectors(std::uint64_t first, std::size_t count, float* out, std::size_t stride) const {
  for (std::size_t i = 0; i < count; ++i) {
    RowPlace place;
    const OpenedIndex& index = index_of(first + i, place);
    const std::span<const float> row = index.segments[place.segment].vectors.row(place.row).first(dim());
    std::copy(row.begin(), row.end(), out + i * stride);
  }
}

StoredRow IndexRows::row(std::uint64_t i) const {
  RowPlace place;
  const OpenedIndex& index = index_of(i, place);
  const Segment& segment = index.segments[place.segment];
  return {.line = std::string(segment.line(place.row)),
          .path_hash = segment.path_hashes[place.row],
          .label_hash = segment.label_hashes.empty() ? label_hash(index.parse(segment, place.row))
                                                     : segment.label_hashes[place.row]};
}

std::uint64_t IndexRows::id(std::uint64_t i) const {
  RowPlace place;
  const OpenedIndex& index = index_of(i, place);
  return index.id(place);
}

}  // namespace cbir
