#include <fmt/format.h>

#include <algorithm>

#include <cbir/base/error.hpp>
#include <cbir/base/text.hpp>
#include <cbir/index/index.hpp>
#include <cbir/store/set_writer.hpp>

#include "lib/index/row_source.hpp"

namespace cbir {
namespace {

constexpr std::size_t kBlockBytes = 4 << 20;  // of vectors held at a time

void write_vectors(SetWriter& to, const RowSource& rows) {
  const std::size_t block = std::max<std::size_t>(1, kBlockBytes / (rows.dim() * sizeof(float)));
  std::vector<float> buffer(std::min<std::uint64_t>(block, rows.size()) * rows.dim());
  for (std::uint64_t first = 0; first < rows.size(); first += block) {
    const std::size_t count = std::min<std::uint64_t>(block, rows.size() - first);
    rows.vectors(first, count, buffer.data(), rows.dim());
    to.add_vectors({buffer.data(), count, rows.dim()});
  }
}

}  // namespace

std::uint64_t export_index(const std::string& path, const std::string& set_name, bool force) {
  const OpenedIndex index(Container::open(path, Check::all));
  index.demand_rows();
  const IndexRows rows({&index});
  SetWriter set(set_name, rows.size(), rows.dim(), force, {path});
  write_vectors(set, rows);
  for (std::uint64_t i = 0; i < rows.size(); ++i) set.add_line(rows.row(i).line);
  set.commit({.metric = std::string(to_string(index.meta.metric)),
              .normalization = index.meta.normalization,
              .encoder = index.meta.encoder,
              .fingerprint = index.meta.fingerprint,
              .preset = index.meta.preset,
              .augmentation = index.meta.augmentation});
  return rows.size();
}

}  // namespace cbir
