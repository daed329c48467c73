#include <cbir/base/bytes.hpp>

#include <fmt/format.h>

#include <cbir/base/error.hpp>
#include <cbir/base/text.hpp>

namespace cbir {

void ByteReader::seek(std::size_t offset, std::string_view what) {
  if (offset > data_.size())
    throw DamagedFile(fmt::format("{}: {} lies at byte {}, but the file has only {} bytes", display_path(name_), what,
                                  offset, data_.size()));
  offset_ = offset;
}

void ByteReader::too_short(std::size_t wanted, std::string_view what) const {
  throw DamagedFile(fmt::format("{}: the file ends within {}: {} bytes wanted at byte {}, {} are there",
                                display_path(name_), what, wanted, offset_, remaining()));
}

}  // namespace cbir
