#pragma once
/// TIFF structures (TIFF 6.0, BigTIFF): the directory of a TIFF file, and EXIF, which borrows it.

#include <cstdint>
#include <optional>

#include <cbir/base/bytes.hpp>

namespace cbir {

/// Reads numbers of either byte order at absolute offsets; nothing outside the data is touched.
class TiffReader {
 public:
  /// Empty if `data` does not start with a TIFF header.
  static std::optional<TiffReader> open(Bytes data);

  /// The first value of a tag in the first directory, if it is there and an integer. Damage is "not there".
  std::optional<std::uint64_t> first_value(std::uint16_t tag) const;

 private:
  explicit TiffReader(Bytes data) : data_(data) {}
  /// `size` bytes at `offset` as an unsigned number.
  std::optional<std::uint64_t> number(std::uint64_t offset, unsigned size) const;

  Bytes data_;
  bool big_endian_ = false;
  bool big_tiff_ = false;
};

/// The orientation (tag 0x0112), 1 to 8, of an EXIF block that starts with its TIFF header; 1 if there is none or
/// anything is wrong with it.
int exif_orientation(Bytes exif);

}  // namespace cbir
