#pragma once
/// NumPy's .npy files (NEP 1; versions 1.0, 2.0 and 3.0), read with suspicion and written as NumPy writes them.

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <cbir/base/file.hpp>

namespace cbir {

enum class Dtype { float32, float16 };

std::string_view to_string(Dtype dtype);   ///< "float32", "float16"
Dtype parse_dtype(std::string_view name);  ///< throws UsageError
std::size_t item_size(Dtype dtype);

struct NpyHeader {
  std::string descr;  ///< as it stands, e.g. "<f4"
  bool fortran_order = false;
  std::vector<std::uint64_t> shape;
  std::size_t data_offset = 0;
};

/// Throws DamagedFile, or Incompatible for a structured array; `name` is the file's name, for messages.
NpyHeader parse_npy_header(Bytes file, const std::string& name);

/// A memory-mapped 2-d array of float32 or float16 in C order.
/// Opening throws DamagedFile (header, length), Incompatible (other dtypes, byte order, Fortran order, other than two
/// dimensions, pickled objects are DamagedFile), with what was found and what was expected.
class NpyMatrix {
 public:
  NpyMatrix() = default;
  explicit NpyMatrix(const std::string& path);

  std::size_t rows() const noexcept { return rows_; }
  std::size_t cols() const noexcept { return cols_; }
  Dtype dtype() const noexcept { return dtype_; }
  const std::string& path() const noexcept { return file_.path(); }

  /// Copies rows [first, first + count) as float32 to `out`, rows `stride` floats apart (0: cols()).
  /// Throws DamagedFile naming the first row that holds a NaN or an infinity.
  void read(std::size_t first, std::size_t count, float* out, std::size_t stride = 0) const;

  /// The whole file's bytes, for checksums.
  Bytes bytes() const noexcept { return file_.bytes(); }

 private:
  MappedFile file_;
  std::size_t rows_ = 0, cols_ = 0, offset_ = 0;
  Dtype dtype_ = Dtype::float32;
};

/// A 1-d array of strings ("<U12", "|S8") or integers (as decimal numbers), as `*_Categories.npy` holds them: UTF-8.
/// Throws DamagedFile for pickled object arrays, Incompatible for other shapes and types.
std::vector<std::string> read_npy_strings(const std::string& path);

/// The header NumPy itself would write (version 1.0, 64-byte aligned) for a C-order matrix. `reserve` pads it to at
/// least that many bytes, so that it can be rewritten when the number of rows is known.
std::string npy_header(Dtype dtype, std::uint64_t rows, std::uint64_t cols, std::size_t reserve = 128);

/// The same for an array of `count` strings of up to `width` characters, each of which takes 4 bytes.
std::string npy_strings_header(std::uint64_t count, std::uint64_t width);

/// Converts float32 to the little-endian bytes of `dtype` (float16: IEEE round to nearest even; a finite value beyond
/// its range throws ResourceLimit).
void append_items(std::vector<std::byte>& out, std::span<const float> values, Dtype dtype);

}  // namespace cbir
