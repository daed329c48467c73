#include <cmath>

#include <cbir/base/error.hpp>
#include <cbir/index/index.hpp>

#include "lib/index/change.hpp"
#include "lib/index/segment_writer.hpp"

namespace cbir {

CutoffStore::CutoffStore(const std::string& path) : appender_(std::make_unique<ContainerAppender>(path)) {}
CutoffStore::~CutoffStore() = default;
CutoffStore::CutoffStore(CutoffStore&&) noexcept = default;

void CutoffStore::store(const Cutoff& cutoff) { store_cutoff(*appender_, cutoff); }

void store_cutoff(ContainerAppender& appender, const Cutoff& cutoff) {
  if (!std::isfinite(cutoff.score) || !std::isfinite(cutoff.precision) || !std::isfinite(cutoff.recall))
    throw UsageError("a cut-off must be finite");
  const OpenedIndex index(appender.take_current());
  IndexMeta meta = index.meta;
  meta.cutoff = cutoff;
  appender.retire(0, SectionKind::meta);
  write_meta(appender, meta);
  appender.commit(index.container.root().next_id);
}

}  // namespace cbir
