#pragma once
/// Changes of an index in place, on an appender that holds its lock.

#include <span>
#include <vector>

#include <cbir/index/index.hpp>

#include "lib/index/container_appender.hpp"
#include "lib/index/opened.hpp"
#include "lib/index/row_source.hpp"

namespace cbir {

/// add_to_index and remove_from_index; each ends with the appender's commit.
ChangeReport add_rows(ContainerAppender& appender, const std::vector<EmbeddingSet>& sets, const AddOptions& options);
ChangeReport remove_rows(ContainerAppender& appender, const RowSelection& selection);

/// sync_index; ends with the appender's commit if there is anything to change.
SyncReport sync_rows(ContainerAppender& appender, const std::vector<EmbeddingSet>& sets, bool allow_mismatch);

/// Throws Incompatible for a set that does not go with the index. One encoder is one metric and normalisation; of sets
/// of unknown ones they are compared, too. (The metric of an index may be another than its encoder's, since build can
/// be told so.)
void check_fits(const OpenedIndex& index, const EmbeddingSet& set, bool allow_mismatch);

/// Writes rows as a segment of their own, with new ids; returns the next id.
std::uint64_t append_segment(ContainerAppender& appender, const OpenedIndex& index, const RowSource& rows);

/// A joined index is of unit vectors only if all are.
void update_normalization(ContainerAppender& appender, const OpenedIndex& index, std::span<const EmbeddingSet> sets);

/// CutoffStore::store.
void store_cutoff(ContainerAppender& appender, const Cutoff& cutoff);

/// Writes anew the tombstones of the segments that these rows are of. Rows may be named twice; returns how many were
/// not.
std::uint64_t write_tombstones(ContainerAppender& appender, const OpenedIndex& index,
                               const std::vector<RowPlace>& rows);

}  // namespace cbir
