#include <cbir/base/error.hpp>
#include <cbir/index/index.hpp>

#include "lib/index/opened.hpp"

namespace cbir {

RecoverReport recover_index(const std::string& path, const std::string& output, bool force) {
  if (output == "-") throw UsageError("an index cannot be written to standard output; give a file name");
  RecoverReport report;
  const OpenedIndex index(Container::salvage(path, report.lost));
  const Container& container = index.container;
  ContainerWriter writer(output, force);
  for (const Section& section : container.sections()) {
    if (section.kind == SectionKind::unused) continue;
    writer.begin(section.segment, section.kind, section.type);
    writer.write(container.content(section));
    writer.end();
  }
  writer.finish(container.root().next_id);
  report.kept = index.info;
  return report;
}

}  // namespace cbir
