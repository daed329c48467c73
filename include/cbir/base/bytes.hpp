#pragma once
/// Bounds-checked reading of little-endian binary data that nobody vouches for.

#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>

namespace cbir {

static_assert(std::endian::native == std::endian::little, "file formats are mapped in place as little-endian");

using Bytes = std::span<const std::byte>;

inline Bytes as_bytes(std::string_view text) { return std::as_bytes(std::span(text.data(), text.size())); }
inline std::string_view as_text(Bytes bytes) { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }

/// Reads fields one after another out of a buffer; every read is checked.
/// Throws DamagedFile with `name`, the offset and the field when the data ends too early.
class ByteReader {
 public:
  /// `name` is the file's name, for messages; the buffer must outlive the reader.
  ByteReader(Bytes data, std::string name) : data_(data), name_(std::move(name)) {}

  std::size_t offset() const noexcept { return offset_; }
  std::size_t remaining() const noexcept { return data_.size() - offset_; }
  const std::string& name() const noexcept { return name_; }

  /// The next `count` bytes. `what` names the field in the message.
  Bytes take(std::size_t count, std::string_view what) {
    if (count > remaining()) too_short(count, what);
    const Bytes out = data_.subspan(offset_, count);
    offset_ += count;
    return out;
  }

  template <typename T>
    requires std::integral<T> || std::floating_point<T>
  T read(std::string_view what) {
    T value;
    std::memcpy(&value, take(sizeof(T), what).data(), sizeof(T));
    return value;
  }

  /// Moves to an absolute offset; throws DamagedFile if it lies outside the data.
  void seek(std::size_t offset, std::string_view what);

 private:
  [[noreturn]] void too_short(std::size_t wanted, std::string_view what) const;

  Bytes data_;
  std::string name_;
  std::size_t offset_ = 0;
};

}  // namespace cbir
