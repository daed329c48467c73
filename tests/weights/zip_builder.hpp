#pragma once
/// Zip archives put together field by field, sound or not.

#include <libdeflate.h>

#include <tests/weights/checkpoint.hpp>

namespace zipped {

using pickled::le;

struct Entry {
  std::string name, content;
  std::uint16_t method = 0;
  std::string packed = content;         ///< what lies in the archive
  std::uint64_t size = content.size();  ///< what the directory says of the content
  std::uint16_t flags = 0x808;          ///< a data descriptor follows; the name is UTF-8: as PyTorch writes it
};

inline std::uint32_t crc32(const std::string& data) { return libdeflate_crc32(0, data.data(), data.size()); }

inline std::string deflate(const std::string& data) {
  libdeflate_compressor* packer = libdeflate_alloc_compressor(9);
  std::string out(libdeflate_deflate_compress_bound(packer, data.size()), '\0');
  out.resize(libdeflate_deflate_compress(packer, data.data(), data.size(), out.data(), out.size()));
  libdeflate_free_compressor(packer);
  return out;
}

inline Entry deflated(const std::string& name, const std::string& content) {
  return {name, content, 8, deflate(content)};
}

template <typename T>
std::string field(std::uint64_t value) {
  return le(static_cast<T>(value));
}

/// Content begins at multiples of 64. `zip64`: sizes and places stand in the extra fields, and the end is zip64's.
inline std::string archive(const std::vector<Entry>& entries, bool zip64 = false) {
  std::string out, directory;
  for (const Entry& entry : entries) {
    const std::size_t at = out.size();
    const std::size_t padding = (64 - (at + 30 + entry.name.size() + 4) % 64) % 64;
    out += "PK\x03\x04" + le<std::uint16_t>(0) + le(entry.flags) + le(entry.method) + std::string(16, '\0') +
           field<std::uint16_t>(entry.name.size()) + field<std::uint16_t>(padding + 4) + entry.name + "FB" +
           field<std::uint16_t>(padding) + std::string(padding, 'Z') + entry.packed;
    const std::string in64 = le<std::uint16_t>(1) + le<std::uint16_t>(24) + field<std::uint64_t>(entry.size) +
                             field<std::uint64_t>(entry.packed.size()) + field<std::uint64_t>(at);
    const std::string none = "\xff\xff\xff\xff";
    directory += "PK\x01\x02" + le<std::uint32_t>(0) + le(entry.flags) + le(entry.method) + le<std::uint32_t>(0) +
                 le(crc32(entry.content)) + (zip64 ? none : field<std::uint32_t>(entry.packed.size())) +
                 (zip64 ? none : field<std::uint32_t>(entry.size)) + field<std::uint16_t>(entry.name.size()) +
                 field<std::uint16_t>(zip64 ? in64.size() : 0) + le<std::uint16_t>(0) + std::string(8, '\0') +
                 (zip64 ? none : field<std::uint32_t>(at)) + entry.name + (zip64 ? in64 : "");
  }
  const std::size_t first = out.size(), size = directory.size(), end = first + size, count = entries.size();
  out += directory;
  if (zip64)
    out += "PK\x06\x06" + le<std::uint64_t>(44) + le<std::uint32_t>(0) + le<std::uint64_t>(0) +
           field<std::uint64_t>(count) + field<std::uint64_t>(count) + field<std::uint64_t>(size) +
           field<std::uint64_t>(first) + "PK\x06\x07" + le<std::uint32_t>(0) + field<std::uint64_t>(end) +
           le<std::uint32_t>(1);
  return out + "PK\x05\x06" + le<std::uint32_t>(0) + field<std::uint16_t>(count) + field<std::uint16_t>(count) +
         field<std::uint32_t>(zip64 ? 0xffffffff : size) + field<std::uint32_t>(zip64 ? 0xffffffff : first) +
         le<std::uint16_t>(0);
}

}  // namespace zipped
