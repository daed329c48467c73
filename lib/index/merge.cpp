#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <optional>

#include <cbir/base/error.hpp>
#include <cbir/base/text.hpp>
#include <cbir/index/index.hpp>

#include "lib/index/build_structure.hpp"
#include "lib/index/opened.hpp"
#include "lib/index/segment_writer.hpp"
#include "lib/index/sets.hpp"

namespace cbir {
namespace {

void check_match(const OpenedIndex& first, const OpenedIndex& other, bool allow_mismatch) {
  const IndexMeta &ours = first.meta, &theirs = other.meta;
  const std::string &our_name = first.container.name(), &their_name = other.container.name();
  if (theirs.dim != ours.dim || theirs.metric != ours.metric)
    throw Incompatible(fmt::format("{} holds vectors of dimension {} compared by {}, {} of {} by {}",
                                   display_path(our_name), ours.dim, to_string(ours.metric), display_path(their_name),
                                   theirs.dim, to_string(theirs.metric)));
  if (!allow_mismatch && theirs.fingerprint != ours.fingerprint)
    throw Incompatible(
        fmt::format("{} and {} are of different encoders; their vectors cannot be compared (--allow-mismatch joins "
                    "them all the same)",
                    described(our_name, ours.encoder, ours.fingerprint),
                    described(their_name, theirs.encoder, theirs.fingerprint)));
  if (!allow_mismatch) check_augmentations(our_name, ours.augmentation, their_name, theirs.augmentation);
}

/// As the first index; with mismatches allowed, the encoder is that of the first which names one.
IndexMeta joined_meta(const std::vector<OpenedIndex>& indexes) {
  IndexMeta meta = indexes.front().meta;
  meta.parameters.clear();
  meta.cutoff.reset();
  meta.shards.reset();
  for (const OpenedIndex& index : indexes) {
    if (index.meta.normalization == "none") meta.normalization = "none";
    if (!meta.fingerprint.empty()) continue;
    meta.encoder = index.meta.encoder;
    meta.fingerprint = index.meta.fingerprint;
    meta.preset = index.meta.preset;
  }
  return meta;
}

}  // namespace

MergeReport merge_indexes(const std::vector<std::string>& paths, const std::string& output,
                          const MergeOptions& options) {
  refuse_standard_output(output);
  refuse_to_replace(output, paths);
  if (paths.empty()) throw UsageError("no index was given");
  std::vector<OpenedIndex> indexes;
  for (const std::string& path : paths) {
    indexes.emplace_back(Container::open(path, Check::all));
    check_match(indexes.front(), indexes.back(), options.allow_mismatch);
  }
  std::vector<ShardSource> parts;
  for (const OpenedIndex& index : indexes) parts.push_back({index.container.name(), index.meta.shards});
  std::optional<Shards> shards = join_shards(parts, options.partial);
  std::vector<const OpenedIndex*> sources;
  for (const OpenedIndex& index : indexes) sources.push_back(&index);
  const IndexRows rows(sources);
  if (rows.size() == 0) throw MissingInput(fmt::format("{}: no row is left in it", display_path(paths.front())));
  std::vector<std::uint64_t> ids(rows.size());
  for (std::size_t i = 0; i < ids.size(); ++i) ids[i] = rows.id(i);
  const bool kept = std::adjacent_find(ids.begin(), ids.end(), std::greater_equal<>()) == ids.end();
  std::uint64_t next_id = rows.size();
  if (!kept) std::iota(ids.begin(), ids.end(), 0);
  else
    for (const OpenedIndex& index : indexes) next_id = std::max(next_id, index.container.root().next_id);

  IndexMeta meta = joined_meta(indexes);
  meta.shards = std::move(shards);
  ContainerWriter writer(output, options.force);
  const Fd lock = lock_replaced(output);
  write_rows(writer, kFirstSegment, rows, ids);
  build_structure(writer, meta, plan_of(indexes.front().meta), ids, output);
  return {.rows = rows.size(),
          .bytes = writer.finish(next_id),
          .ids_kept = kept,
          .cutoffs_dropped = static_cast<std::uint64_t>(
              std::ranges::count_if(indexes, [](const OpenedIndex& index) { return index.meta.cutoff.has_value(); }))};
}

}  // namespace cbir
