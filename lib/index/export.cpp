#include <fmt/format.h>

#include <algorithm>

#include <cbir/base/error.hpp>
#include <cbir/base/hash.hpp>
#include <cbir/base/text.hpp>
#include <cbir/index/index.hpp>

#include "lib/index/row_source.hpp"

namespace cbir {
namespace {

constexpr std::size_t kBlockBytes = 4 << 20;  // of vectors held at a time

/// A file and the checksum of what was written to it.
struct HashedFile {
  OutputFile file;
  Xxh3Hasher hasher = {};

  void write(Bytes data) {
    file.write(data);
    hasher.update(data);
  }
};

void write_vectors(HashedFile& to, const RowSource& rows) {
  to.write(as_bytes(npy_header(Dtype::float32, rows.size(), rows.dim())));
  const std::size_t block = std::max<std::size_t>(1, kBlockBytes / (rows.dim() * sizeof(float)));
  std::vector<float> buffer(std::min<std::uint64_t>(block, rows.size()) * rows.dim());
  for (std::uint64_t first = 0; first < rows.size(); first += block) {
    const std::size_t count = std::min<std::uint64_t>(block, rows.size() - first);
    rows.vectors(first, count, buffer.data(), rows.dim());
    to.write(std::as_bytes(std::span(buffer).first(count * rows.dim())));
  }
}

}  // namespace

std::uint64_t export_index(const std::string& path, const std::string& set_name, bool force) {
  const OpenedIndex index(Container::open(path, Check::all));
  index.demand_rows();
  const SetPaths paths = set_paths(set_name);
  refuse_to_replace(path, {paths.npy, paths.rows, paths.manifest, paths.failed});
  HashedFile npy{OutputFile(paths.npy, force)}, lines{OutputFile(paths.rows, force)};
  OutputFile failed(paths.failed, force), manifest(paths.manifest, force);
  const IndexRows rows({&index});
  write_vectors(npy, rows);
  for (std::uint64_t i = 0; i < rows.size(); ++i) lines.write(as_bytes(rows.row(i).line + '\n'));
  manifest.write(to_json(Manifest{.rows = rows.size(),
                                  .dim = rows.dim(),
                                  .metric = std::string(to_string(index.meta.metric)),
                                  .normalization = index.meta.normalization,
                                  .encoder = index.meta.encoder,
                                  .fingerprint = index.meta.fingerprint,
                                  .preset = index.meta.preset,
                                  .npy_xxh3 = hex(npy.hasher.digest()),
                                  .rows_xxh3 = hex(lines.hasher.digest())}));
  npy.file.commit();  // side by side; the manifest, which makes them a set, last
  lines.file.commit();
  failed.commit();
  manifest.commit();
  return rows.size();
}

}  // namespace cbir
