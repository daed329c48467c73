#include <cbir/store/npy.hpp>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include <cbir/base/error.hpp>
#include <cbir/base/text.hpp>

#include <cbir/base/half.hpp>

namespace cbir {
namespace {

std::string shape_text(const std::vector<std::uint64_t>& shape) {
  return shape.size() == 1 ? fmt::format("({},)", shape[0]) : fmt::format("({})", fmt::join(shape, ", "));
}

/// Refuses what no reader here takes: pickles and foreign byte order.
void check_descr(const NpyHeader& header, const std::string& name, std::string_view expected) {
  const std::string& descr = header.descr;
  if (descr.starts_with("|O") || descr.starts_with("O"))
    throw DamagedFile(
        fmt::format("{}: found pickled objects, which are programs, not data; expected {}: save the array "
                    "with a fixed type, as array.astype('U') or array.astype('float32')",
                    display_path(name), expected));
  if (descr.starts_with(">"))
    throw Incompatible(fmt::format("{}: found big-endian '{}', expected little-endian {}: save array.astype('<{}')",
                                   display_path(name), display_path(descr), expected, display_path(descr.substr(1))));
}

/// Throws DamagedFile unless the file holds exactly `count` items of `size` bytes after the header.
void check_length(const NpyHeader& header, Bytes file, std::uint64_t count, std::uint64_t size,
                  const std::string& name) {
  const std::uint64_t there = file.size() - header.data_offset;
  std::uint64_t wanted = 0;
  if (__builtin_mul_overflow(count, size, &wanted) || wanted != there)
    throw DamagedFile(fmt::format("{}: the header announces shape {} of '{}', {} bytes of data, but there are {}: {}",
                                  display_path(name), shape_text(header.shape), display_path(header.descr),
                                  size && wanted / size == count ? fmt::to_string(wanted) : "over 2^64", there,
                                  there < wanted ? "the file was cut short" : "something was appended"));
}

void append_utf8(std::string& out, std::uint32_t code, const std::string& name, std::size_t item) {
  if (code > 0x10ffff || (code >= 0xd800 && code < 0xe000))
    throw DamagedFile(
        fmt::format("{}: item {} holds {:#x}, which is no Unicode character", display_path(name), item, code));
  const auto tail = [&](int shift) { out += static_cast<char>(0x80 | ((code >> shift) & 0x3f)); };
  if (code < 0x80) {
    out += static_cast<char>(code);
  } else if (code < 0x800) {
    out += static_cast<char>(0xc0 | (code >> 6));
    tail(0);
  } else if (code < 0x10000) {
    out += static_cast<char>(0xe0 | (code >> 12));
    tail(6), tail(0);
  } else {
    out += static_cast<char>(0xf0 | (code >> 18));
    tail(12), tail(6), tail(0);
  }
}

std::string unicode_item(Bytes item, const std::string& name, std::size_t index) {
  std::size_t length = item.size() / 4;
  const auto code = [&](std::size_t i) {
    std::uint32_t value;
    std::memcpy(&value, item.data() + i * 4, 4);
    return value;
  };
  while (length > 0 && code(length - 1) == 0) --length;  // NumPy pads with NULs
  std::string out;
  for (std::size_t i = 0; i < length; ++i) append_utf8(out, code(i), name, index);
  return out;
}

std::string bytes_item(Bytes item) {
  const std::string_view text = as_text(item);
  return std::string(text.substr(0, text.find_last_not_of('\0') + 1));
}

template <typename T>
std::string number_item(Bytes item) {
  T value;
  std::memcpy(&value, item.data(), sizeof(T));
  return std::to_string(value);
}

std::string integer_item(Bytes item, bool is_signed) {
  switch (item.size()) {
    case 1:
      return is_signed ? number_item<std::int8_t>(item) : number_item<std::uint8_t>(item);
    case 2:
      return is_signed ? number_item<std::int16_t>(item) : number_item<std::uint16_t>(item);
    case 4:
      return is_signed ? number_item<std::int32_t>(item) : number_item<std::uint32_t>(item);
    default:
      return is_signed ? number_item<std::int64_t>(item) : number_item<std::uint64_t>(item);
  }
}

/// Whether all of the values are finite; branch-free, since nearly always they are.
bool all_finite(const float* values, std::size_t count) {
  std::int32_t largest = 0;
  for (std::size_t i = 0; i < count; ++i) {
    std::int32_t bits;
    std::memcpy(&bits, values + i, sizeof bits);
    largest = std::max(largest, bits & 0x7fffffff);
  }
  return largest < 0x7f800000;
}

}  // namespace

std::string_view to_string(Dtype dtype) { return dtype == Dtype::float32 ? "float32" : "float16"; }

Dtype parse_dtype(std::string_view name) {
  if (name == "float32") return Dtype::float32;
  if (name == "float16") return Dtype::float16;
  throw UsageError(fmt::format("'{}' is no type of vectors; expected float32 or float16", display_path(name)));
}

std::size_t item_size(Dtype dtype) { return dtype == Dtype::float32 ? 4 : 2; }

NpyMatrix::NpyMatrix(const std::string& path) : file_(path) {
  const NpyHeader header = parse_npy_header(file_.bytes(), path);
  check_descr(header, path, "float32 or float16");
  if (header.descr != "<f4" && header.descr != "<f2")
    throw Incompatible(
        fmt::format("{}: found numbers of type '{}', expected float32 ('<f4') or float16 ('<f2'): save "
                    "array.astype('float32')",
                    display_path(path), display_path(header.descr)));
  if (header.shape.size() != 2)
    throw Incompatible(
        fmt::format("{}: found an array of shape {}, expected two dimensions: rows x numbers in a vector",
                    display_path(path), shape_text(header.shape)));
  // NumPy sets the flag for arrays that are both, too: one row or one column.
  if (header.fortran_order && header.shape[0] > 1 && header.shape[1] > 1)
    throw Incompatible(fmt::format("{}: found Fortran order, expected C order: save numpy.ascontiguousarray(array)",
                                   display_path(path)));
  if (header.shape[1] == 0)
    throw Incompatible(fmt::format("{}: found an array of shape {}: vectors without numbers", display_path(path),
                                   shape_text(header.shape)));
  dtype_ = header.descr == "<f4" ? Dtype::float32 : Dtype::float16;
  std::uint64_t count = 0;
  if (__builtin_mul_overflow(header.shape[0], header.shape[1], &count)) count = UINT64_MAX;
  check_length(header, file_.bytes(), count, item_size(dtype_), path);
  // An empty array may name any number of columns; it must still be one that arithmetic on sizes can bear.
  if (header.shape[1] > std::numeric_limits<std::uint32_t>::max())
    throw DamagedFile(fmt::format("{}: the header announces shape {}", display_path(path), shape_text(header.shape)));
  rows_ = static_cast<std::size_t>(header.shape[0]);
  cols_ = static_cast<std::size_t>(header.shape[1]);
  offset_ = header.data_offset;
}

void NpyMatrix::read(std::size_t first, std::size_t count, float* out, std::size_t stride) const {
  if (first > rows_ || count > rows_ - first)
    throw Error(ExitCode::internal,
                fmt::format("{}: rows {} to {} of {} asked for", display_path(path()), first, first + count, rows_));
  if (stride == 0) stride = cols_;
  const std::size_t row_bytes = cols_ * item_size(dtype_);
  const std::byte* from = file_.bytes().data() + offset_ + first * row_bytes;
  for (std::size_t i = 0; i < count; ++i, from += row_bytes, out += stride) {
    if (dtype_ == Dtype::float32) {
      std::memcpy(out, from, row_bytes);
    } else {
      for (std::size_t j = 0; j < cols_; ++j) {
        std::uint16_t half;
        std::memcpy(&half, from + j * 2, 2);
        out[j] = half_to_float(half);
      }
    }
    if (!all_finite(out, cols_))
      throw DamagedFile(fmt::format("{}: row {} holds a NaN or an infinity", display_path(path()), first + i));
  }
}

std::vector<std::string> read_npy_strings(const std::string& path) {
  constexpr std::string_view kExpected = "strings or whole numbers";
  const MappedFile file(path);
  const NpyHeader header = parse_npy_header(file.bytes(), path);
  check_descr(header, path, kExpected);
  const std::string_view descr = header.descr;
  const char kind = descr.size() > 2 && (descr[0] == '<' || descr[0] == '|') ? descr[1] : '\0';
  std::uint64_t size = 0;
  const bool sized = kind != '\0' && parse_number(descr.substr(2), size);
  const bool is_text = sized && (kind == 'U' || kind == 'S') && size <= (1U << 30);
  const bool is_integer = sized && (kind == 'i' || kind == 'u') && (size == 1 || size == 2 || size == 4 || size == 8);
  if (!is_text && !is_integer)
    throw Incompatible(fmt::format("{}: found items of type '{}', expected {}: save array.astype('U')",
                                   display_path(path), display_path(descr), kExpected));
  if (header.shape.size() != 1)
    throw Incompatible(fmt::format("{}: found an array of shape {}, expected one dimension", display_path(path),
                                   shape_text(header.shape)));
  if (kind == 'U') size *= 4;
  const std::uint64_t count = header.shape[0];
  check_length(header, file.bytes(), count, size, path);
  if (size == 0 && count > 0)  // the length of the file says nothing about `count`
    throw Incompatible(fmt::format("{}: found {} strings of no length", display_path(path), count));
  std::vector<std::string> out(static_cast<std::size_t>(count));
  for (std::size_t i = 0; i < out.size(); ++i) {
    const Bytes item = file.bytes().subspan(header.data_offset + i * size, size);
    out[i] = kind == 'U'   ? unicode_item(item, path, i)
             : kind == 'S' ? bytes_item(item)
                           : integer_item(item, kind == 'i');
  }
  return out;
}

void append_items(std::vector<std::byte>& out, std::span<const float> values, Dtype dtype) {
  const std::size_t start = out.size();
  out.resize(start + values.size() * item_size(dtype));
  std::byte* to = out.data() + start;
  if (dtype == Dtype::float32) {
    if (!values.empty()) std::memcpy(to, values.data(), values.size_bytes());
    return;
  }
  for (std::size_t i = 0; i < values.size(); ++i) {
    const std::uint16_t half = float_to_half(values[i]);
    if ((half & 0x7fffU) == 0x7c00U && std::isfinite(values[i]))
      throw ResourceLimit(
          fmt::format("{} is beyond the range of float16, which ends at 65504; use float32", values[i]));
    std::memcpy(to + i * 2, &half, 2);
  }
}

}  // namespace cbir
