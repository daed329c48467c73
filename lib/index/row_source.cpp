#include "lib/index/row_source.hpp"

#include <algorithm>

#include <cbir/base/hash.hpp>
#include <cbir/base/parallel.hpp>
#include <cbir/index/vectors.hpp>

#include "lib/index/find_rows.hpp"

namespace cbir {
namespace {

/// Which of the parts that begin at `firsts` holds number i; the last entry is the end.
std::size_t part_of(const std::vector<std::uint64_t>& firsts, std::uint64_t i) {
  return static_cast<std::size_t>(std::upper_bound(firsts.begin(), firsts.end(), i) - firsts.begin()) - 1;
}

}  // namespace

SetRows::SetRows(std::span<const EmbeddingSet> sets, bool normalize, const std::uint64_t* first_name)
    : sets_(sets),
      firsts_({0}),
      normalize_(normalize),
      renames_(first_name),
      first_name_(first_name ? *first_name : 0) {
  for (const EmbeddingSet& set : sets) firsts_.push_back(firsts_.back() + set.rows());
}

std::size_t SetRows::set_of(std::uint64_t i) const { return part_of(firsts_, i); }

void SetRows::vectors(std::uint64_t first, std::size_t count, float* out, std::size_t stride) const {
  while (count > 0) {
    const std::size_t number = set_of(first);
    const EmbeddingSet& set = sets_[number];
    const std::uint64_t row = first - firsts_[number];
    const std::size_t here = std::min<std::uint64_t>(count, set.rows() - row);
    set.matrix().read(row, here, out, stride);
    std::vector<VectorState> states(here);
    parallel_blocks(here, 64, [&](std::size_t begin, std::size_t end) {
      for (std::size_t i = begin; i < end; ++i)
        states[i] = prepare_vector(std::span(out + i * stride, set.dim()), normalize_);
    });
    for (std::size_t i = 0; i < here; ++i)
      if (states[i] != VectorState::fine) refuse_vector(set.name(), row + i, set.row(row + i).path, states[i]);
    first += here;
    count -= here;
    out += here * stride;
  }
}

RowInfo SetRows::info(std::uint64_t i) const {
  const std::size_t set = set_of(i);
  RowInfo out = sets_[set].row(i - firsts_[set]);
  if (renamed(set)) out.path = std::to_string(first_name_ + i);
  return out;
}

StoredRow SetRows::row(std::uint64_t i) const {
  const std::size_t set = set_of(i);
  const RowInfo known = info(i);
  return {.line = renamed(set) ? to_json_line(known) : sets_[set].row_line(i - firsts_[set]),
          .path_hash = xxh3_64(as_bytes(known.path)),
          .label_hash = label_hash(known)};
}

IndexRows::IndexRows(std::vector<const OpenedIndex*> indexes) : indexes_(std::move(indexes)), firsts_({0}) {
  for (const OpenedIndex* index : indexes_) firsts_.push_back(firsts_.back() + index->info.rows);
}

const OpenedIndex& IndexRows::index_of(std::uint64_t i, RowPlace& place) const {
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
