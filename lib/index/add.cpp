#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include <cbir/base/error.hpp>
#include <cbir/base/parallel.hpp>
#include <cbir/base/text.hpp>

#include "lib/index/change.hpp"
#include "lib/index/find_rows.hpp"
#include "lib/index/segment_writer.hpp"
#include "lib/index/sets.hpp"
#include "lib/index/structures.hpp"

namespace cbir {
namespace {

std::vector<std::string> paths_of(const SetRows& rows) {
  std::vector<std::string> paths(rows.size());
  parallel_blocks(paths.size(), 256, [&](std::size_t begin, std::size_t end) {
    for (std::size_t i = begin; i < end; ++i) paths[i] = rows.info(i).path;
  });
  return paths;
}

/// The rows that the new ones take the place of.
std::vector<RowPlace> replaced_rows(const OpenedIndex& index, const SetRows& rows, const AddOptions& options) {
  const std::vector<std::string> paths = paths_of(rows);
  const std::vector<std::vector<RowPlace>> found = find_paths(index, paths);
  std::vector<RowPlace> out;
  for (std::size_t i = 0; i < found.size(); ++i) {
    if (!found[i].empty() && !options.replace)
      throw Incompatible(fmt::format("{}: {} is in it already (row {}); --replace lets the new row take its place",
                                     display_path(index.container.name()), display_path(paths[i]),
                                     index.id(found[i].front())));
    out.insert(out.end(), found[i].begin(), found[i].end());
  }
  return out;
}

}  // namespace

void check_fits(const OpenedIndex& index, const EmbeddingSet& set, bool allow_mismatch) {
  const IndexMeta& meta = index.meta;
  const std::string name = display_path(index.container.name());
  if (meta.shards)
    throw Incompatible(
        fmt::format("{}: holds parts of a list, {} of {}, and waits to be merged with the others; what is "
                    "more than a list goes into the result",
                    name, meta.shards->parts.size(), meta.shards->of));
  if (set.dim() != meta.dim)
    throw Incompatible(
        fmt::format("{}: vectors of dimension {}, but {} has {}", display_path(set.name()), set.dim(), name, meta.dim));
  if (allow_mismatch) return;
  constexpr std::string_view kInsist = "--allow-mismatch adds them all the same";
  if (fingerprint_of(set) != meta.fingerprint)
    throw Incompatible(fmt::format("{} and {} are of different encoders; their vectors cannot be compared ({})",
                                   described(index.container.name(), meta.encoder, meta.fingerprint), described(set),
                                   kInsist));
  check_augmentations(index.container.name(), meta.augmentation, set.name(), augmentation_of(set));
  if (!meta.fingerprint.empty()) return;
  if (set.manifest() && set.manifest()->metric != to_string(meta.metric))
    throw Incompatible(fmt::format("{} is meant for {}, but {} compares by {} ({})", display_path(set.name()),
                                   set.manifest()->metric, name, to_string(meta.metric), kInsist));
  if (meta.metric != Metric::cosine && meta.normalization == "l2" && !is_unit(set))
    throw Incompatible(fmt::format("{} does not say that its vectors have norm 1, as those of {} do ({})",
                                   display_path(set.name()), name, kInsist));
}

void update_normalization(ContainerAppender& appender, const OpenedIndex& index, std::span<const EmbeddingSet> sets) {
  const bool unit = index.meta.metric == Metric::cosine || std::all_of(sets.begin(), sets.end(), is_unit);
  if (unit || index.meta.normalization == "none") return;
  IndexMeta meta = index.meta;
  meta.normalization = "none";
  appender.retire(0, SectionKind::meta);
  write_meta(appender, meta);
}

std::uint64_t append_segment(ContainerAppender& appender, const OpenedIndex& index, const RowSource& rows) {
  const std::uint64_t first_id = index.container.root().next_id;
  const std::uint32_t segment = index.segments.back().number + 1;
  std::vector<std::uint64_t> ids(rows.size());
  std::iota(ids.begin(), ids.end(), first_id);
  write_rows(appender, segment, rows, ids);
  if (const std::unique_ptr<StructureBuilder> builder = open_builder(index.container, index.meta)) {
    const Container written = appender.written();
    builder->write_segment(segment, segment_vectors(written, segment, rows.dim()), appender);
  }
  return first_id + rows.size();
}

ChangeReport add_rows(ContainerAppender& appender, const std::vector<EmbeddingSet>& sets, const AddOptions& options) {
  const OpenedIndex index(appender.take_current());
  for (const EmbeddingSet& set : sets) check_fits(index, set, options.allow_mismatch);
  const std::uint64_t first_id = index.container.root().next_id;
  const SetRows rows(sets, index.meta.metric == Metric::cosine, options.name_by_id ? &first_id : nullptr);
  const std::vector<RowPlace> replaced = replaced_rows(index, rows, options);

  const std::uint64_t next_id = append_segment(appender, index, rows);
  update_normalization(appender, index, sets);
  const std::uint64_t removed = write_tombstones(appender, index, replaced);
  return {.added = rows.size(),
          .removed = removed,
          .rows = index.info.rows + rows.size() - removed,
          .bytes = appender.commit(next_id)};
}

ChangeReport add_to_index(const std::string& path, const std::vector<std::string>& names, const AddOptions& options) {
  const std::vector<EmbeddingSet> sets = open_sets(names, options.allow_mismatch);
  shards_of(sets, false);
  ContainerAppender appender(path);
  return add_rows(appender, sets, options);
}

}  // namespace cbir
