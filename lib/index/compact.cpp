#include <cbir/index/index.hpp>

#include "lib/index/build_structure.hpp"
#include "lib/index/opened.hpp"
#include "lib/index/segment_writer.hpp"
#include "lib/index/sets.hpp"

namespace cbir {

/// In place, the lock is held until the new file has its name: who waits for it then sees that the name means another
/// file.
ChangeReport compact_index(const std::string& path, const std::string& output, bool force) {
  refuse_standard_output(output);
  const Fd lock = output.empty() ? open_locked(path, true) : open_input(path);
  const OpenedIndex index(Container::open(lock, path, Check::all));
  index.demand_rows();
  if (!output.empty()) refuse_to_replace(output, {path});

  ContainerWriter writer(output.empty() ? path : output, force || output.empty());
  const Fd replaced = output.empty() ? Fd() : lock_replaced(output);
  const IndexRows rows({&index});
  std::vector<std::uint64_t> ids(rows.size());
  for (std::size_t i = 0; i < ids.size(); ++i) ids[i] = rows.id(i);
  write_rows(writer, kFirstSegment, rows, ids);
  IndexMeta meta = index.meta;
  meta.parameters.clear();
  build_structure(writer, meta, plan_of(index.meta), ids, output.empty() ? path : output);
  return {.rows = rows.size(), .bytes = writer.finish(index.container.root().next_id)};
}

}  // namespace cbir
