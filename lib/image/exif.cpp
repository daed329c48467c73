#include "exif.hpp"

#include <algorithm>

namespace cbir {

std::optional<std::uint64_t> TiffReader::number(std::uint64_t offset, unsigned size) const {
  if (offset > data_.size() || size > data_.size() - offset) return std::nullopt;
  std::uint64_t value = 0;
  for (unsigned i = 0; i < size; ++i) {
    const unsigned at = big_endian_ ? i : size - 1 - i;
    value = value << 8 | std::to_integer<std::uint64_t>(data_[static_cast<std::size_t>(offset) + at]);
  }
  return value;
}

std::optional<TiffReader> TiffReader::open(Bytes data) {
  TiffReader reader(data);
  if (data.size() < 8 || data[0] != data[1]) return std::nullopt;
  if (data[0] != std::byte{'I'} && data[0] != std::byte{'M'}) return std::nullopt;
  reader.big_endian_ = data[0] == std::byte{'M'};
  const std::uint64_t version = *reader.number(2, 2);
  if (version != 42 && version != 43) return std::nullopt;
  reader.big_tiff_ = version == 43;
  return reader;
}

std::optional<std::uint64_t> TiffReader::first_value(std::uint16_t tag) const {
  const unsigned word = big_tiff_ ? 8 : 4;   // of a count or an offset
  const unsigned entry_size = 4 + 2 * word;  // tag, type, count, value or offset
  const auto directory = number(big_tiff_ ? 8 : 4, word);
  if (!directory) return std::nullopt;
  const unsigned count_size = big_tiff_ ? 8 : 2;
  const auto entries = number(*directory, count_size);
  if (!entries) return std::nullopt;
  const std::uint64_t room = (data_.size() - *directory - count_size) / entry_size;
  for (std::uint64_t i = 0; i < std::min(*entries, room); ++i) {
    const std::uint64_t entry = *directory + count_size + i * entry_size;
    if (number(entry, 2) != tag) continue;
    const std::uint64_t type = *number(entry + 2, 2);
    const std::uint64_t count = *number(entry + 4, word);
    const unsigned size = type == 1 ? 1u : type == 3 ? 2u : type == 4 ? 4u : type == 16 ? 8u : 0u;
    if (size == 0 || count == 0) return std::nullopt;
    std::uint64_t at = entry + 4 + word;
    if (count > word / size) at = *number(at, word);  // too many to lie in the entry itself
    return number(at, size);
  }
  return std::nullopt;
}

int exif_orientation(Bytes exif) {
  const auto reader = TiffReader::open(exif);
  const auto value = reader ? reader->first_value(0x0112) : std::nullopt;
  return value && *value >= 1 && *value <= 8 ? static_cast<int>(*value) : 1;
}

}  // namespace cbir
