#include "zip.hpp"

#include <fmt/format.h>
#include <libdeflate.h>

#include <algorithm>
#include <vector>

#include <cbir/base/error.hpp>
#include <cbir/base/text.hpp>

namespace cbir::weights {
namespace {

constexpr std::uint32_t kLocalHeader = 0x04034b50;
constexpr std::uint32_t kDirectoryEntry = 0x02014b50;
constexpr std::uint32_t kDirectoryEnd = 0x06054b50;
constexpr std::uint32_t kDirectoryEnd64 = 0x06064b50;
constexpr std::uint32_t kLocator64 = 0x07064b50;
constexpr std::size_t kDirectoryEndSize = 22, kLocator64Size = 20, kLocalHeaderSize = 30;
constexpr std::uint16_t kExtra64 = 1;
constexpr std::uint16_t kEncrypted = 1;
constexpr std::uint16_t kStored = 0, kDeflated = 8;
constexpr std::uint32_t kIn64 = 0xffffffff;  // the number stands in the zip64 field instead

template <typename T>
T peek(Bytes data, std::size_t at) {
  T value;
  std::memcpy(&value, data.data() + at, sizeof value);
  return value;
}

}  // namespace

ZipArchive::ZipArchive(Bytes file, std::string name, std::shared_ptr<const void> owner)
    : file_(file),
      name_(std::move(name)),
      owner_(std::move(owner)),
      inflate_left_((std::uint64_t{4} << 20) + 4 * std::uint64_t{file.size()}) {
  const Directory directory = find_directory();
  read_directory(directory);
  check_layout(directory.first);
}

void ZipArchive::damaged(std::string_view what) const {
  throw DamagedFile(fmt::format("{}: damaged zip archive: {}", display_path(name_), what));
}

/// The directory's end record is the last thing in the file but for a comment of up to 65,535 bytes.
ZipArchive::Directory ZipArchive::find_directory() const {
  if (file_.size() < kDirectoryEndSize) damaged("the file is too short");
  const std::size_t last = file_.size() - kDirectoryEndSize;
  const std::size_t lowest = last > 0xffff ? last - 0xffff : 0;
  std::size_t end = last;
  for (;; --end) {
    if (peek<std::uint32_t>(file_, end) == kDirectoryEnd && peek<std::uint16_t>(file_, end + 20) == last - end) break;
    if (end == lowest) damaged("there is no directory at its end; the file may be cut short");
  }
  Directory out{peek<std::uint32_t>(file_, end + 16), peek<std::uint32_t>(file_, end + 12),
                peek<std::uint16_t>(file_, end + 10)};
  std::size_t directory_end = end;
  if (end >= kLocator64Size && peek<std::uint32_t>(file_, end - kLocator64Size) == kLocator64) {
    out = find_directory64(end);
    directory_end = static_cast<std::size_t>(peek<std::uint64_t>(file_, end - kLocator64Size + 8));
  } else if (peek<std::uint32_t>(file_, end + 4) != 0) {
    throw Incompatible(fmt::format("{}: a part of a zip archive of several", display_path(name_)));
  }
  if (out.first > directory_end || out.size != directory_end - out.first)
    damaged(fmt::format("a directory of {} bytes at byte {} does not end at byte {}, where its end record is", out.size,
                        out.first, directory_end));
  return out;
}

ZipArchive::Directory ZipArchive::find_directory64(std::size_t end) const {
  const auto at = peek<std::uint64_t>(file_, end - kLocator64Size + 8);
  if (at > file_.size()) damaged(fmt::format("the zip64 end record is said to be at byte {}", at));
  ByteReader reader(file_, name_);
  reader.seek(static_cast<std::size_t>(at), "the zip64 end record");
  if (reader.read<std::uint32_t>("the zip64 end record") != kDirectoryEnd64)
    damaged(fmt::format("there is no zip64 end record at byte {}", at));
  const auto size = reader.read<std::uint64_t>("the zip64 end record");
  if (size < 44 || size != end - kLocator64Size - at - 12)
    damaged(fmt::format("the zip64 end record at byte {} has the wrong length", at));
  reader.take(4, "versions");
  if (reader.read<std::uint64_t>("disk numbers") != 0)
    throw Incompatible(fmt::format("{}: a part of a zip archive of several", display_path(name_)));
  reader.take(8, "the entries of this disk");
  Directory out;
  out.entries = reader.read<std::uint64_t>("the number of entries");
  out.size = reader.read<std::uint64_t>("the directory's size");
  out.first = reader.read<std::uint64_t>("the directory's place");
  return out;
}

void ZipArchive::read_directory(const Directory& directory) {
  const auto first = static_cast<std::size_t>(directory.first);
  ByteReader reader(file_.first(first + static_cast<std::size_t>(directory.size)), name_);
  reader.seek(first, "the directory");
  while (reader.remaining() > 0) read_entry(reader);
  if (entries_.size() != directory.entries)
    damaged(fmt::format("its directory holds {} entries, {} were announced", entries_.size(), directory.entries));
}

/// One entry of the directory. Fields that are kIn64 stand in the extra field 1, in this order.
void ZipArchive::read_entry(ByteReader& reader) {
  const std::size_t at = reader.offset();
  if (reader.read<std::uint32_t>("an entry") != kDirectoryEntry)
    damaged(fmt::format("there is no directory entry at byte {}", at));
  Entry entry;
  reader.take(4, "versions");
  entry.flags = reader.read<std::uint16_t>("flags");
  entry.method = reader.read<std::uint16_t>("a method");
  reader.take(4, "a time");
  entry.crc = reader.read<std::uint32_t>("a CRC-32");
  entry.packed = reader.read<std::uint32_t>("a size");
  entry.size = reader.read<std::uint32_t>("a size");
  const auto name_length = reader.read<std::uint16_t>("a name's length");
  const auto extra_length = reader.read<std::uint16_t>("a field's length");
  const auto comment_length = reader.read<std::uint16_t>("a comment's length");
  reader.take(8, "a disk number and attributes");
  entry.header = reader.read<std::uint32_t>("a place");
  const std::string_view name = as_text(reader.take(name_length, "a name"));
  ByteReader extra(reader.take(extra_length, "extra fields"), name_ + " (extra fields)");
  reader.take(comment_length, "a comment");
  const bool in64 = entry.size == kIn64 || entry.packed == kIn64 || entry.header == kIn64;
  while (in64 && extra.remaining() > 0) {
    const auto id = extra.read<std::uint16_t>("an extra field");
    const auto length = extra.read<std::uint16_t>("an extra field's length");
    ByteReader field(extra.take(length, "an extra field"), name_ + " (zip64 field)");
    if (id != kExtra64) continue;
    for (std::uint64_t* number : {&entry.size, &entry.packed, &entry.header})
      if (*number == kIn64) *number = field.read<std::uint64_t>("a zip64 number");
    break;
  }
  if (!entries_.emplace(name, entry).second) damaged(fmt::format("two entries are named {}", display_path(name)));
}

/// Every entry lies between the one before it and the directory.
void ZipArchive::check_layout(std::uint64_t directory) {
  std::vector<std::pair<std::string_view, Entry*>> order;
  for (auto& [name, entry] : entries_) order.emplace_back(name, &entry);
  std::sort(order.begin(), order.end(),
            [](const auto& a, const auto& b) { return a.second->header < b.second->header; });
  std::uint64_t free = 0;
  const Bytes before = file_.first(static_cast<std::size_t>(directory));
  for (const auto& [name, entry] : order) {
    const std::string shown = display_path(name);
    if (entry->header < free) damaged(fmt::format("entry {} lies over another", shown));
    if (entry->header > before.size() || before.size() - entry->header < kLocalHeaderSize)
      damaged(fmt::format("entry {} is said to be at byte {}, outside the archive", shown, entry->header));
    const auto at = static_cast<std::size_t>(entry->header);
    const auto name_length = peek<std::uint16_t>(before, at + 26);
    const std::size_t head = kLocalHeaderSize + name_length + peek<std::uint16_t>(before, at + 28);
    if (peek<std::uint32_t>(before, at) != kLocalHeader || before.size() - at < head ||
        as_text(before.subspan(at + kLocalHeaderSize, name_length)) != name)
      damaged(fmt::format("there is no header of entry {} at byte {}", shown, at));
    entry->first = at + head;
    if (entry->packed > before.size() - entry->first)
      damaged(fmt::format("entry {} at byte {} of {} bytes reaches beyond the archive", shown, at, entry->packed));
    free = entry->first + entry->packed;
  }
}

Content ZipArchive::read(std::string_view name) {
  const auto found = entries_.find(name);
  if (found == entries_.end()) damaged(fmt::format("entry {} is missing", display_path(name)));
  Entry& entry = found->second;
  if (const auto known = inflated_.find(found->first); known != inflated_.end()) return known->second;
  const std::string shown = display_path(name);
  if (entry.flags & kEncrypted)
    throw Incompatible(fmt::format("{}: entry {} is encrypted", display_path(name_), shown));
  if (entry.method != kStored && entry.method != kDeflated)
    throw Incompatible(fmt::format("{}: entry {} is compressed by method {}; only stored and deflated entries are read",
                                   display_path(name_), shown, entry.method));
  if (entry.method == kStored && entry.packed != entry.size)
    damaged(fmt::format("entry {} is stored, but its two sizes differ", shown));
  Content content;
  if (entry.method == kStored)
    content = {file_.subspan(static_cast<std::size_t>(entry.first), static_cast<std::size_t>(entry.size)), owner_};
  else content = inflate(shown, entry);
#ifndef FUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION  // a fuzzer cannot make one up
  if (!entry.checked && libdeflate_crc32(0, content.data.data(), content.data.size()) != entry.crc)
    damaged(fmt::format("entry {} at byte {} does not agree with its CRC-32", shown, entry.first));
#endif
  entry.checked = true;
  if (entry.method == kDeflated) inflated_.emplace(found->first, content);
  return content;
}

Content ZipArchive::inflate(std::string_view shown, const Entry& entry) {
  // Deflate reaches 1032 to 1; a checkpoint's numbers hardly shrink, and its pickle some ten times.
  if (entry.size > inflate_left_)
    throw ResourceLimit(fmt::format("{}: entry {} would unpack to {} bytes, more than a checkpoint of this size needs",
                                    display_path(name_), shown, entry.size));
  inflate_left_ -= entry.size;
  auto memory = std::make_shared<std::vector<std::byte>>(static_cast<std::size_t>(entry.size));
  const std::unique_ptr<libdeflate_decompressor, decltype(&libdeflate_free_decompressor)> unpacker(
      libdeflate_alloc_decompressor(), &libdeflate_free_decompressor);
  if (!unpacker) throw std::bad_alloc();
  const Bytes packed = file_.subspan(static_cast<std::size_t>(entry.first), static_cast<std::size_t>(entry.packed));
  std::byte nothing{};  // an empty vector has no memory
  if (libdeflate_deflate_decompress(unpacker.get(), packed.data(), packed.size(),
                                    memory->empty() ? &nothing : memory->data(), memory->size(),
                                    nullptr) != LIBDEFLATE_SUCCESS)
    damaged(fmt::format("entry {} at byte {} cannot be unpacked to the {} bytes announced", shown, entry.first,
                        entry.size));
  return {*memory, memory};
}

}  // namespace cbir::weights
