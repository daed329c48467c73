#include "lib/index/opened.hpp"

#include <fmt/format.h>

#include <algorithm>

#include <cbir/base/error.hpp>
#include <cbir/base/text.hpp>

namespace cbir {
namespace {

/// Bytes of each kind of section with their padding; with the head, all that belong to the index.
std::map<std::string, std::uint64_t> parts_of(const Container& container) {
  std::map<std::string, std::uint64_t> parts = {{"head", container::kPage},
                                                {"table", container::padded(container.root().table_bytes)}};
  for (const Section& section : container.sections()) {
    std::string name(to_string(section.kind));
    std::replace(name.begin(), name.end(), ' ', '_');
    parts[name] += container::padded(section.bytes);
  }
  return parts;
}

}  // namespace

OpenedIndex::OpenedIndex(Container&& file) : container(std::move(file)) {
  meta = parse_meta(as_text(container.content(0, SectionKind::meta, ElementType::byte)), container.name());
  segments = read_segments(container, meta.dim);
  std::uint64_t rows = 0;
  for (const Segment& segment : segments) {
    first_lives.push_back(rows);
    rows += live.emplace_back(segment.size(), segment.removed).count();
  }
  info = {.type = meta.type,
          .metric = meta.metric,
          .rows = rows,
          .removed = segments.back().first_position + segments.back().size() - rows,
          .segments = segments.size(),
          .dim = meta.dim,
          .bytes = container.bytes().size(),
          .generation = container.root().generation,
          .leftover = container.leftover(),
          .version_major = container.head().major,
          .version_minor = container.head().minor,
          .encoder = meta.encoder,
          .fingerprint = meta.fingerprint,
          .preset = meta.preset,
          .normalization = meta.normalization,
          .augmentation = meta.augmentation,
          .parameters = meta.parameters,
          .parts = parts_of(container),
          .cutoff = meta.cutoff,
          .shards = meta.shards};
}

void OpenedIndex::demand_rows() const {
  if (info.rows == 0)
    throw MissingInput(fmt::format("{}: no row is left in it; add some first", display_path(container.name())));
}

RowPlace OpenedIndex::place(std::uint64_t position) const {
  const auto after = std::upper_bound(first_lives.begin(), first_lives.end(), position);
  const auto segment = static_cast<std::size_t>(after - first_lives.begin()) - 1;
  return {segment, live[segment].select(position - first_lives[segment])};
}

RowInfo OpenedIndex::parse(const Segment& segment, std::size_t row) const {
  return parse_row(segment.line(row), fmt::format("{} row {}", display_path(container.name()), segment.ids[row]));
}

}  // namespace cbir
