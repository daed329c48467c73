#include <cbir/extract/report.hpp>

#include <fmt/format.h>

namespace cbir {

std::string describe(const Changes& changes) {
  return fmt::format("{} added, {} changed, {} moved, {} deleted, {} unchanged", changes.added, changes.changed,
                     changes.moved, changes.deleted, changes.unchanged);
}

std::string to_json(const ExtractReport& report) {
  std::string out = fmt::format(R"({{"rows":{},"failed":{},"encoded":{},"resumed":{},"nothing_to_do":{})", report.rows,
                                report.failed, report.encoded, report.resumed, report.nothing_to_do);
  if (report.changes) {
    const Changes& changes = *report.changes;
    out += fmt::format(R"(,"added":{},"changed":{},"moved":{},"deleted":{},"unchanged":{})", changes.added,
                       changes.changed, changes.moved, changes.deleted, changes.unchanged);
  }
  return out + "}\n";
}

}  // namespace cbir
