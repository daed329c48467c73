#include "lib/index/structures.hpp"

#include <fmt/format.h>

#include <cbir/base/error.hpp>

#include "lib/index/flat.hpp"
#include "lib/index/hnsw.hpp"
#include "lib/index/ivf.hpp"
#include "lib/index/lsh.hpp"

namespace cbir {

std::unique_ptr<StructureBuilder> make_builder(IndexMeta& meta, const StructureOptions& options, std::uint64_t rows) {
  if (meta.type == "flat") return std::make_unique<FlatBuilder>(meta.metric);
  if (meta.type == "ivf") return std::make_unique<IvfBuilder>(meta, options, rows);
  if (meta.type == "hnsw") return HnswBuilder::create(meta, options);
  if (meta.type == "lsh") return LshBuilder::create(meta, options);
  throw UsageError(
      fmt::format("unknown type of index '{}'; {} are known", meta.type, fmt::join(kStructureTypes, ", ")));
}

std::unique_ptr<StructureBuilder> open_builder(const Container& container, const IndexMeta& meta) {
  if (meta.type == "ivf") return std::make_unique<IvfBuilder>(read_ivf_model(container, meta));
  if (meta.type == "hnsw") return HnswBuilder::open(container, meta);
  if (meta.type == "lsh") return LshBuilder::open(container, meta);
  return std::make_unique<FlatBuilder>(meta.metric);
}

std::unique_ptr<Structure> open_structure(const Container& container, const IndexMeta& meta, const Segment& segment) {
  if (meta.type == "ivf") return std::make_unique<IvfStructure>(container, meta, segment);
  if (meta.type == "hnsw") return open_hnsw(container, meta, segment);
  if (meta.type == "lsh") return std::make_unique<LshStructure>(container, meta, segment);
  return open_flat(container, meta, segment);
}

}  // namespace cbir
