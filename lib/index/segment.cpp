#include "lib/index/segment.hpp"

#include <fmt/format.h>

#include <algorithm>

#include <cbir/base/error.hpp>
#include <cbir/base/text.hpp>
#include <cbir/index/scan.hpp>

namespace cbir {
namespace {

/// Sections start at multiples of the page, so their elements are aligned.
template <typename T>
std::span<const T> elements(Bytes content) {
  return {reinterpret_cast<const T*>(content.data()), content.size() / sizeof(T)};
}

Segment read_segment(const Container& container, std::uint32_t number, std::size_t dim) {
  Segment out;
  out.number = number;
  const auto numbers = [&](SectionKind kind) {
    return elements<std::uint64_t>(container.content(number, kind, ElementType::uint64));
  };
  out.ids = numbers(SectionKind::ids);
  out.row_offsets = numbers(SectionKind::row_offsets);
  out.path_hashes = numbers(SectionKind::path_hashes);
  const auto optional_numbers = [&](SectionKind kind) {
    return container.optional_content(number, kind, ElementType::uint64);
  };
  const std::optional<Bytes> label_hashes = optional_numbers(SectionKind::label_hashes),
                             removed = optional_numbers(SectionKind::tombstones);
  if (label_hashes) out.label_hashes = elements<std::uint64_t>(*label_hashes);
  if (removed) out.removed = elements<std::uint64_t>(*removed);
  out.rows = as_text(container.content(number, SectionKind::rows, ElementType::byte));
  const Bytes vectors = container.content(number, SectionKind::vectors, ElementType::float32);
  out.vectors = {elements<float>(vectors).data(), out.ids.size(), padded_dim(dim)};

  const auto demand = [&](bool holds, std::string_view what) {
    if (!holds)
      throw DamagedFile(fmt::format("{}: damaged index: segment {}: {}; build it again", display_path(container.name()),
                                    number, what));
  };
  const std::size_t rows = out.size();
  demand(rows > 0, "it has no rows");
  demand(vectors.size() / sizeof(float) / padded_dim(dim) == rows &&
             vectors.size() % (sizeof(float) * padded_dim(dim)) == 0,
         "there are not as many vectors as ids");
  demand(out.row_offsets.size() == rows + 1 && out.path_hashes.size() == rows, "there are not as many rows as ids");
  demand(!label_hashes || out.label_hashes.size() == rows, "there are not as many labels as ids");
  demand(
      !removed || (out.removed.size() == (rows + 63) / 64 && (rows % 64 == 0 || out.removed.back() >> rows % 64 == 0)),
      "its tombstones are not of its rows");
  demand(out.row_offsets.front() == 0 && out.row_offsets.back() == out.rows.size() &&
             std::is_sorted(out.row_offsets.begin(), out.row_offsets.end()),
         "row offsets do not ascend through the rows");
  demand(std::adjacent_find(out.ids.begin(), out.ids.end(), std::greater_equal<>()) == out.ids.end(),
         "ids do not ascend");
  return out;
}

}  // namespace

std::string_view Segment::line(std::size_t row) const {
  std::string_view text = rows.substr(row_offsets[row], row_offsets[row + 1] - row_offsets[row]);
  if (text.ends_with('\n')) text.remove_suffix(1);
  return text;
}

std::vector<Segment> read_segments(const Container& container, std::size_t dim) {
  std::vector<Segment> segments;
  std::uint64_t position = 0, next_id = 0;
  for (const std::uint32_t number : container.segments()) {
    Segment segment = read_segment(container, number, dim);
    if (segment.ids.front() < next_id || segment.ids.back() >= container.root().next_id)
      throw DamagedFile(fmt::format("{}: damaged index: ids of segment {} are out of range; build it again",
                                    display_path(container.name()), number));
    next_id = segment.ids.back() + 1;
    segment.first_position = position;
    position += segment.size();
    segments.push_back(segment);
  }
  if (segments.empty())
    throw DamagedFile(fmt::format("{}: damaged index: it has no rows; build it again", display_path(container.name())));
  return segments;
}

}  // namespace cbir
