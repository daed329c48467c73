#include <cbir/index/index.hpp>

#include "lib/index/opened.hpp"
#include "lib/index/segment_writer.hpp"
#include "lib/index/sets.hpp"
#include "lib/index/structures.hpp"

namespace cbir {
namespace {

constexpr std::uint32_t kSegment = 1;

/// Copies what segments share, but for the description.
void copy_shared(const Container& from, SectionWriter& writer) {
  for (const Section& section : from.sections()) {
    if (section.segment != 0 || section.kind == SectionKind::unused || section.kind == SectionKind::meta) continue;
    writer.begin(section.segment, section.kind, section.type);
    writer.write(from.content(section));
    writer.end();
  }
}

}  // namespace

/// In place, the lock is held until the new file has its name: who waits for it then sees that the name means another file.
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
  write_rows(writer, kSegment, rows, ids);
  copy_shared(index.container, writer);
  if (const std::unique_ptr<StructureBuilder> builder = open_builder(index.container, index.meta)) {
    const Container written = writer.written();
    builder->write_segment(kSegment, segment_vectors(written, kSegment, rows.dim()), writer);
  }
  write_meta(writer, index.meta);
  return {.removed = index.info.removed,
          .rows = rows.size(),
          .bytes = writer.finish(index.container.root().next_id)};
}

}  // namespace cbir
