#include "lib/index/structures.hpp"

#include <fmt/format.h>

#include <cbir/base/error.hpp>

#include "lib/index/flat.hpp"
#include "lib/index/plain_scan.hpp"

namespace cbir {

std::unique_ptr<StructureBuilder> make_builder(IndexMeta& meta, const StructureOptions& /*options*/,
                                               std::uint64_t /*rows*/) {
  if (meta.type == "flat") return std::make_unique<FlatBuilder>(meta.metric);
  throw UsageError(fmt::format("unknown type of index '{}'; flat is known", meta.type));
}

std::unique_ptr<StructureBuilder> open_builder(const Container& /*container*/, const IndexMeta& meta) {
  return std::make_unique<FlatBuilder>(meta.metric);
}

std::unique_ptr<Structure> open_structure(const Container& container, const IndexMeta& meta, const Segment& segment) {
  if (Flat::is_in(container, segment)) return std::make_unique<Flat>(container, segment, meta.metric);
  return std::make_unique<PlainScan>(segment, meta.metric);
}

}  // namespace cbir
