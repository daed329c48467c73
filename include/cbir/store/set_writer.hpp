#pragma once
/// Writing an embedding set whose rows are there.

#include <cstddef>
#include <string>
#include <string_view>

#include <cbir/base/file.hpp>
#include <cbir/base/hash.hpp>
#include <cbir/base/matrix.hpp>
#include <cbir/store/set.hpp>

namespace cbir {

/// The files of a set of float32, complete or not there at all. Its list of failures is empty.
class SetWriter {
 public:
  /// `inputs`: files that must not be replaced. Throws OutputError (a file is there, without `overwrite`), UsageError.
  SetWriter(const std::string& name, std::uint64_t rows, std::size_t dim, bool overwrite,
            const std::vector<std::string>& inputs);

  void add_vectors(MatrixView<const float> rows);  ///< the next ones
  void add_line(std::string_view line);            ///< of the next row, without its newline

  /// Makes the set visible, the manifest last. Counts and checksums in `manifest` are set here.
  void commit(Manifest manifest);

 private:
  /// A file and the checksum of what was written to it.
  struct HashedFile {
    OutputFile file;
    Xxh3Hasher hasher = {};

    void write(Bytes data);
  };

  std::uint64_t rows_;
  std::size_t dim_;
  HashedFile npy_, lines_;
  OutputFile failed_, manifest_;
};

}  // namespace cbir
