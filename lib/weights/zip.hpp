#pragma once
/// Zip archives in memory (PKWARE's APPNOTE.TXT 6.3.9, with zip64), strictly: one disk, the directory at the end, no
/// two entries of one name or over one another, each CRC-32 checked when its entry is read.

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include <cbir/base/bytes.hpp>

namespace cbir::weights {

/// An entry's content. Stored entries lie in the archive's own bytes, deflated ones in memory that `owner` keeps.
struct Content {
  Bytes data;
  std::shared_ptr<const void> owner;
};

class ZipArchive {
 public:
  /// `name` is for messages; `owner` keeps `file`.
  /// Throws DamagedFile; Incompatible for archives of several disks.
  ZipArchive(Bytes file, std::string name, std::shared_ptr<const void> owner);

  struct Entry {
    std::uint16_t flags = 0, method = 0;
    std::uint32_t crc = 0;
    std::uint64_t packed = 0, size = 0;   ///< in bytes, in the archive and unpacked
    std::uint64_t header = 0, first = 0;  ///< where the local header and the content begin
    bool checked = false;
  };

  /// By name; names are views of the archive.
  const std::map<std::string_view, Entry>& entries() const { return entries_; }
  bool contains(std::string_view entry) const { return entries_.contains(entry); }

  /// Reads an entry; the second time without another check, or unpacking it again.
  /// Throws DamagedFile (no such entry, a wrong CRC-32, a wrong length), Incompatible (encrypted, or compressed other
  /// than by Deflate), ResourceLimit (all deflated entries together unpack to more than 4 MiB and four times the file).
  Content read(std::string_view entry);

 private:
  struct Directory {
    std::uint64_t first = 0, size = 0, entries = 0;
  };
  Directory find_directory() const;
  Directory find_directory64(std::size_t end) const;
  void read_directory(const Directory& directory);
  void read_entry(ByteReader& reader);
  void check_layout(std::uint64_t directory);
  Content inflate(std::string_view name, const Entry& entry);
  [[noreturn]] void damaged(std::string_view what) const;

  Bytes file_;
  std::string name_;
  std::shared_ptr<const void> owner_;
  std::map<std::string_view, Entry> entries_;
  std::map<std::string_view, Content> inflated_;
  std::uint64_t inflate_left_;
};

}  // namespace cbir::weights
