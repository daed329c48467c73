#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <numeric>

#include <cbir/base/error.hpp>
#include <cbir/base/file.hpp>
#include <cbir/base/parallel.hpp>
#include <cbir/base/text.hpp>
#include <cbir/index/index.hpp>
#include <cbir/index/scan.hpp>
#include <cbir/index/vectors.hpp>

#include "lib/index/container.hpp"
#include "lib/index/meta.hpp"
#include "lib/index/structures.hpp"

namespace cbir {
namespace {

constexpr std::uint32_t kSegment = 1;
constexpr std::size_t kBlockBytes = 4 << 20;  // of vectors held at a time

std::string described(const EmbeddingSet& set) {
  if (!set.manifest() || set.manifest()->fingerprint.empty())
    return fmt::format("{} (encoder unknown)", display_path(set.name()));
  return fmt::format("{} (encoder {}, fingerprint {})", display_path(set.name()), set.manifest()->encoder,
                     set.manifest()->fingerprint.substr(0, 12));
}

std::string fingerprint_of(const EmbeddingSet& set) {
  return set.manifest() ? set.manifest()->fingerprint : std::string();
}

std::vector<EmbeddingSet> open_sets(const std::vector<std::string>& names, bool allow_mismatch) {
  if (names.empty()) throw UsageError("no embedding set was given");
  std::vector<EmbeddingSet> sets;
  std::uint64_t rows = 0;
  for (const std::string& name : names) {
    sets.push_back(EmbeddingSet::open(name));
    const EmbeddingSet &first = sets.front(), &set = sets.back();
    rows += set.rows();
    if (set.dim() != first.dim())
      throw Incompatible(fmt::format("{}: vectors of dimension {}, but {} has {}; sets of one index must agree",
                                     display_path(set.name()), set.dim(), display_path(first.name()), first.dim()));
    if (!allow_mismatch && fingerprint_of(set) != fingerprint_of(first))
      throw Incompatible(
          fmt::format("{} and {} are of different encoders; their vectors cannot be compared (--allow-mismatch "
                      "joins them all the same)",
                      described(first), described(set)));
  }
  if (rows == 0) throw MissingInput(fmt::format("{}: there are no rows to index", display_path(names.front())));
  if (sets.front().dim() == 0)
    throw Incompatible(fmt::format("{}: vectors have no elements", display_path(names.front())));
  return sets;
}

std::uint64_t rows_of(const std::vector<EmbeddingSet>& sets) {
  std::uint64_t rows = 0;
  for (const EmbeddingSet& set : sets) rows += set.rows();
  return rows;
}

Metric metric_of(const std::vector<EmbeddingSet>& sets, const BuildOptions& options) {
  if (options.metric_given) return options.metric;
  const EmbeddingSet* names_it = nullptr;
  for (const EmbeddingSet& set : sets) {
    if (!set.manifest()) continue;
    if (names_it && names_it->manifest()->metric != set.manifest()->metric)
      throw Incompatible(fmt::format("{} is meant for {}, {} for {}; say which with --metric",
                                     display_path(names_it->name()), names_it->manifest()->metric,
                                     display_path(set.name()), set.manifest()->metric));
    if (!names_it) names_it = &set;
  }
  if (!names_it) return options.metric;
  try {
    return parse_metric(names_it->manifest()->metric);
  } catch (const UsageError& error) {
    throw Incompatible(fmt::format("{}: {}; say another with --metric", display_path(names_it->name()), error.what()));
  }
}

/// With --allow-mismatch the index carries the encoder of the first set that names one.
IndexMeta describe(const std::vector<EmbeddingSet>& sets, const BuildOptions& options) {
  IndexMeta meta;
  meta.type = options.type;
  meta.metric = metric_of(sets, options);
  meta.dim = sets.front().dim();
  const bool unit = std::all_of(sets.begin(), sets.end(), [](const EmbeddingSet& set) {
    return set.manifest() && set.manifest()->normalization == "l2";
  });
  meta.normalization = unit || meta.metric == Metric::cosine ? "l2" : "none";
  const auto named =
      std::find_if(sets.begin(), sets.end(), [](const auto& set) { return !fingerprint_of(set).empty(); });
  if (named != sets.end()) {
    meta.encoder = named->manifest()->encoder;
    meta.fingerprint = named->manifest()->fingerprint;
    meta.preset = named->manifest()->preset;
  }
  return meta;
}

void write_vectors(ContainerWriter& writer, const EmbeddingSet& set, bool normalize) {
  const std::size_t stride = padded_dim(set.dim());
  const std::size_t block = std::max<std::size_t>(1, kBlockBytes / (stride * sizeof(float)));
  std::vector<float> buffer(block * stride);  // what pads the rows stays zero
  std::vector<VectorState> states(block);
  for (std::size_t first = 0; first < set.rows(); first += block) {
    const std::size_t count = std::min(block, set.rows() - first);
    set.matrix().read(first, count, buffer.data(), stride);
    parallel_blocks(count, 64, [&](std::size_t begin, std::size_t end) {
      for (std::size_t i = begin; i < end; ++i)
        states[i] = prepare_vector(std::span(buffer).subspan(i * stride, set.dim()), normalize);
    });
    for (std::size_t i = 0; i < count; ++i)
      if (states[i] != VectorState::fine) refuse_vector(set.name(), first + i, set.row(first + i).path, states[i]);
    writer.write(std::as_bytes(std::span(buffer).first(count * stride)));
  }
}

void write_numbers(ContainerWriter& writer, SectionKind kind, std::span<const std::uint64_t> numbers) {
  writer.begin(kSegment, kind, ElementType::uint64);
  writer.write(std::as_bytes(numbers));
  writer.end();
}

/// Writes the rows' JSON lines, then where each begins and a hash of each path.
void write_rows(ContainerWriter& writer, const std::vector<EmbeddingSet>& sets) {
  std::vector<std::uint64_t> offsets = {0}, hashes;
  writer.begin(kSegment, SectionKind::rows, ElementType::byte);
  for (const EmbeddingSet& set : sets) {
    for (std::size_t i = 0; i < set.rows(); ++i) {
      const std::string line = set.row_line(i) + '\n';
      writer.write(as_bytes(line));
      offsets.push_back(offsets.back() + line.size());
      hashes.push_back(xxh3_64(as_bytes(set.row(i).path)));
    }
  }
  writer.end();
  write_numbers(writer, SectionKind::row_offsets, offsets);
  write_numbers(writer, SectionKind::path_hashes, hashes);
}

}  // namespace

BuildReport build_index(const std::vector<std::string>& names, const std::string& output, const BuildOptions& options) {
  if (output == "-") throw UsageError("an index cannot be written to standard output; give a file name");
  const std::vector<EmbeddingSet> sets = open_sets(names, options.allow_mismatch);
  for (const EmbeddingSet& set : sets) {
    const SetPaths paths = set_paths(set.name());
    refuse_to_replace(output, {paths.npy, paths.rows, paths.manifest});
  }
  IndexMeta meta = describe(sets, options);
  const std::unique_ptr<StructureBuilder> builder = make_builder(meta, options.structure, rows_of(sets));

  ContainerWriter writer(output, options.force);
  writer.begin(kSegment, SectionKind::vectors, ElementType::float32);
  for (const EmbeddingSet& set : sets) write_vectors(writer, set, meta.metric == Metric::cosine);
  writer.end();
  std::vector<std::uint64_t> ids(rows_of(sets));
  std::iota(ids.begin(), ids.end(), 0);
  write_numbers(writer, SectionKind::ids, ids);
  write_rows(writer, sets);
  if (builder) {
    const Container written = writer.written();
    const Bytes content = written.content(kSegment, SectionKind::vectors, ElementType::float32);
    const MatrixView<const float> vectors(reinterpret_cast<const float*>(content.data()), ids.size(),
                                          padded_dim(meta.dim));
    builder->train(vectors, writer);
    builder->write_segment(kSegment, vectors, writer);
  }
  writer.begin(0, SectionKind::meta, ElementType::byte);
  writer.write(as_bytes(to_json(meta)));
  writer.end();
  BuildReport report;
  report.rows = ids.size();
  report.bytes = writer.finish(ids.size());
  report.type = meta.type;
  return report;
}

}  // namespace cbir
