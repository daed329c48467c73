#pragma once
/// Changes of an index in place, on an appender that holds its lock.

#include <vector>

#include <cbir/index/index.hpp>

#include "lib/index/container_appender.hpp"
#include "lib/index/opened.hpp"

namespace cbir {

/// add_to_index and remove_from_index; each ends with the appender's commit.
ChangeReport add_rows(ContainerAppender& appender, const std::vector<EmbeddingSet>& sets, const AddOptions& options);
ChangeReport remove_rows(ContainerAppender& appender, const RowSelection& selection);

/// Writes anew the tombstones of the segments that these rows are of. Rows may be named twice; returns how many were
/// not.
std::uint64_t write_tombstones(ContainerAppender& appender, const OpenedIndex& index,
                               const std::vector<RowPlace>& rows);

}  // namespace cbir
