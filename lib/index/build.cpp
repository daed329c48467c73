#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include <cbir/base/error.hpp>
#include <cbir/base/text.hpp>
#include <cbir/index/index.hpp>

#include "lib/index/build_structure.hpp"
#include "lib/index/row_source.hpp"
#include "lib/index/segment_writer.hpp"
#include "lib/index/sets.hpp"

namespace cbir {
namespace {

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
  const bool unit = std::all_of(sets.begin(), sets.end(), is_unit);
  meta.normalization = unit || meta.metric == Metric::cosine ? "l2" : "none";
  if (sets.front().manifest()) meta.augmentation = sets.front().manifest()->augmentation;
  const auto named =
      std::find_if(sets.begin(), sets.end(), [](const auto& set) { return !fingerprint_of(set).empty(); });
  if (named != sets.end()) {
    meta.encoder = named->manifest()->encoder;
    meta.fingerprint = named->manifest()->fingerprint;
    meta.preset = named->manifest()->preset;
  }
  return meta;
}

}  // namespace

BuildReport build_index(const std::vector<std::string>& names, const std::string& output, const BuildOptions& options) {
  refuse_standard_output(output);
  const std::vector<EmbeddingSet> sets = open_sets(names, options.allow_mismatch);
  refuse_to_replace_sets(output, sets);
  IndexMeta meta = describe(sets, options);
  meta.shards = shards_of(sets, options.partial);
  const SetRows rows(sets, meta.metric == Metric::cosine);
  const StructurePlan plan{options.structure, options.effort, options.target_recall, options.memory};
  check_memory(plan, meta, rows.size());

  ContainerWriter writer(output, options.force);
  const Fd lock = lock_replaced(output);
  std::vector<std::uint64_t> ids(rows.size());
  std::iota(ids.begin(), ids.end(), 0);
  write_rows(writer, kFirstSegment, rows, ids);
  const BuiltStructure built = build_structure(writer, meta, plan, ids, output);
  return {.rows = rows.size(),
          .bytes = writer.finish(rows.size()),
          .type = meta.type,
          .effort = built.effort,
          .recall = built.recall,
          .reason = built.reason};
}

}  // namespace cbir
