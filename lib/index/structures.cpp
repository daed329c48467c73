#include "lib/index/structures.hpp"

#include <fmt/format.h>

#include <cbir/base/error.hpp>

#include "lib/index/ivf.hpp"
#include "lib/index/plain_scan.hpp"

namespace cbir {

std::unique_ptr<StructureBuilder> make_builder(IndexMeta& meta, const StructureOptions& options, std::uint64_t rows) {
  if (meta.type == "flat") return nullptr;
  if (meta.type == "ivf") return std::make_unique<IvfBuilder>(meta, options, rows);
  throw UsageError(fmt::format("unknown type of index '{}'; flat and ivf are known", meta.type));
}

std::unique_ptr<StructureBuilder> open_builder(const Container& container, const IndexMeta& meta) {
  if (meta.type == "ivf") return std::make_unique<IvfBuilder>(read_ivf_model(container, meta));
  return nullptr;
}

std::unique_ptr<Structure> open_structure(const Container& container, const IndexMeta& meta, const Segment& segment) {
  if (meta.type == "ivf") return std::make_unique<IvfStructure>(container, meta, segment);
  return std::make_unique<PlainScan>(segment, meta.metric);
}

}  // namespace cbir
