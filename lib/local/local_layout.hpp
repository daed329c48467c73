#pragma once
/// How NAME.local lies in bytes (docs/formats.md).

#include <array>
#include <cstdint>
#include <string_view>

#include <cbir/base/hash.hpp>
#include <cbir/local/local_file.hpp>

namespace cbir::local_layout {

inline constexpr std::string_view kMagic{
    "\x89"
    "CBLF\r\n\x1a",
    8};
inline constexpr std::uint16_t kMajor = 1, kMinor = 0;
inline constexpr std::uint32_t kByteOrder = 0x01020304;

enum class Storage : std::uint32_t { half, bytes, bits };

/// The head as it stands in the file.
struct Head {
  std::array<char, 8> magic = {};
  std::uint16_t major = kMajor, minor = kMinor;
  std::uint32_t byte_order = kByteOrder;
  std::uint64_t pictures = 0;
  std::uint64_t keypoints = 0;  ///< of all pictures
  std::uint64_t index = 0;      ///< its offset
  std::uint64_t length = 0;     ///< of the file
  std::uint32_t dim = 0;
  Storage storage = Storage::half;
  std::uint32_t wanted = 0;  ///< keypoints of a picture, at most
  std::uint32_t max_side = 0;
  std::array<char, 32> kind = {};
  std::array<char, 64> fingerprint = {};
  Xxh3 rows_xxh3 = {};
  Xxh3 index_xxh3 = {};
  std::array<char, 48> zeros = {};
  Xxh3 own_xxh3 = {};
};
static_assert(sizeof(Head) == kLocalHead);

/// What a record begins with; keypoints, descriptors and name follow, then zeros up to a multiple of 8.
struct RecordHead {
  std::uint64_t xxh3 = 0;  ///< 64 bits, of everything behind it
  std::uint32_t count = 0;
  std::uint32_t width = 0, height = 0;
  float scale = 1;
  std::uint32_t name_length = 0;
  std::array<std::int32_t, 4> box = {};
  std::uint32_t zero = 0;
  Xxh3 picture = {};
};
static_assert(sizeof(RecordHead) == 64);

/// In the index: behind the offsets of all records, where names are found.
struct NameEntry {
  std::uint64_t hash = 0;  ///< XXH3 of the name, 64 bits
  std::uint64_t row = 0;

  auto operator<=>(const NameEntry&) const = default;
};

inline constexpr std::size_t kIndexEntry = sizeof(std::uint64_t) + sizeof(NameEntry);

Storage storage_of(const LocalKind& kind);

/// Bytes of one descriptor.
std::size_t descriptor_bytes(Storage storage, std::size_t dim);

/// Bytes of the whole record; UINT64_MAX if that is more than any file has.
std::uint64_t record_length(const RecordHead& head, Storage storage, std::size_t dim);

/// What the features of a whole record are of.
LocalSource source_of(Bytes record, const LocalKind& kind);

}  // namespace cbir::local_layout
