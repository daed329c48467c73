#include <cbir/store/set_writer.hpp>

#include <span>

namespace cbir {
namespace {

SetPaths paths_beside(const std::string& name, const std::vector<std::string>& inputs) {
  SetPaths paths = set_paths(name);
  for (const std::string* path : {&paths.npy, &paths.rows, &paths.manifest, &paths.failed})
    refuse_to_replace(*path, inputs);
  return paths;
}

}  // namespace

void SetWriter::HashedFile::write(Bytes data) {
  file.write(data);
  hasher.update(data);
}

SetWriter::SetWriter(const std::string& name, std::uint64_t rows, std::size_t dim, bool overwrite,
                     const std::vector<std::string>& inputs)
    : rows_(rows),
      dim_(dim),
      npy_{OutputFile(paths_beside(name, inputs).npy, overwrite)},
      lines_{OutputFile(set_paths(name).rows, overwrite)},
      failed_(set_paths(name).failed, overwrite),
      manifest_(set_paths(name).manifest, overwrite) {
  npy_.write(as_bytes(npy_header(Dtype::float32, rows, dim)));
}

void SetWriter::add_vectors(MatrixView<const float> rows) {
  if (rows.stride == rows.cols) {
    npy_.write(std::as_bytes(std::span(rows.data, rows.rows * rows.cols)));
    return;
  }
  for (std::size_t i = 0; i < rows.rows; ++i) npy_.write(std::as_bytes(rows.row(i)));
}

void SetWriter::add_line(std::string_view line) { lines_.write(as_bytes(std::string(line) + '\n')); }

void SetWriter::commit(Manifest manifest) {
  manifest.rows = rows_;
  manifest.dim = dim_;
  manifest.dtype = Dtype::float32;
  manifest.failed = 0;
  manifest.npy_xxh3 = hex(npy_.hasher.digest());
  manifest.rows_xxh3 = hex(lines_.hasher.digest());
  manifest_.write(to_json(manifest));
  npy_.file.commit();  // side by side; the manifest, which makes them a set, last
  lines_.file.commit();
  failed_.commit();
  manifest_.commit();
}

}  // namespace cbir
