#include "lib/index/opened.hpp"

#include <fmt/format.h>

#include <cbir/base/text.hpp>

namespace cbir {

OpenedIndex::OpenedIndex(Container&& file) : container(std::move(file)) {
  meta = parse_meta(as_text(container.content(0, SectionKind::meta, ElementType::byte)), container.name());
  segments = read_segments(container, meta.dim);
  info = {.type = meta.type,
          .metric = meta.metric,
          .rows = segments.back().first_position + segments.back().size(),
          .dim = meta.dim,
          .bytes = container.bytes().size(),
          .generation = container.root().generation,
          .leftover = container.leftover(),
          .version_major = container.head().major,
          .version_minor = container.head().minor,
          .encoder = meta.encoder,
          .fingerprint = meta.fingerprint,
          .preset = meta.preset,
          .normalization = meta.normalization};
}

RowInfo OpenedIndex::parse(const Segment& segment, std::size_t row) const {
  return parse_row(segment.line(row),
                   fmt::format("{} row {}", display_path(container.name()), segment.first_position + row));
}

}  // namespace cbir
