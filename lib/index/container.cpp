#include "lib/index/container.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <functional>
#include <numeric>
#include <thread>
#include <tuple>

#include <cbir/base/error.hpp>
#include <cbir/base/parallel.hpp>
#include <cbir/base/text.hpp>

namespace cbir {
namespace {

using namespace container;

template <typename T>
T field(Bytes data, std::size_t offset) {
  T value;
  std::memcpy(&value, data.data() + offset, sizeof value);
  return value;
}

Xxh3 digest_at(Bytes data, std::size_t offset) { return field<Xxh3>(data, offset); }

[[noreturn]] void damaged(const std::string& name, const std::string& what) {
  throw DamagedFile(fmt::format("{}: damaged index: {}; build it again or restore a copy", display_path(name), what));
}

bool all_zero(Bytes data) {
  return std::all_of(data.begin(), data.end(), [](std::byte b) { return b == std::byte{0}; });
}

/// A fuzzer cannot make up a checksum; what comes after it is to be reached.
bool sound(Bytes data, const Xxh3& digest) {
#ifdef FUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION
  static_cast<void>(data), static_cast<void>(digest);
  return true;
#else
  return xxh3(data) == digest;
#endif
}

/// How long a root record may take to be written. A fuzzer's input is written by nobody.
#ifdef FUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION
constexpr std::chrono::milliseconds kWritten{0};
#else
constexpr std::chrono::milliseconds kWritten{1};
#endif

/// A record whose last 16 bytes are the checksum of the rest.
bool sound_record(Bytes record) {
  const std::size_t size = record.size() - sizeof(Xxh3);
  return sound(record.first(size), digest_at(record, size));
}

/// Tells an index with a damaged magic from a file that never was one.
void check_magic(Bytes file, const std::string& name) {
  const std::string_view start = as_text(file.first(std::min(file.size(), kMagic.size())));
  if (start == kMagic) return;
  if (file.empty()) damaged(name, "the file is empty");
  if (kMagic.starts_with(start)) damaged(name, fmt::format("cut off after {} bytes", file.size()));
  if (as_text(file).starts_with("\x89"
                                "CBIR\n") ||
      as_text(file).starts_with("\x89"
                                "CBIR\r\r\n"))
    damaged(name, "line ends were converted by a transfer as text");
  if (file.size() >= kHeadBytes) {  // would the head be sound with the right magic?
    std::vector<std::byte> head(file.begin(), file.begin() + kHeadBytes);
    std::memcpy(head.data(), kMagic.data(), kMagic.size());
    if (sound_record(head)) damaged(name, "its first bytes were changed");
  }
  throw Incompatible(fmt::format("{}: not an index: it does not begin as a .cbir file does; cbir-index build makes one",
                                 display_path(name)));
}

Head read_head(Bytes page, const std::string& name) {
  check_magic(page, name);
  if (page.size() < kPage)
    damaged(name, fmt::format("cut off after {} bytes, {} were expected at least", page.size(), kPage));
  if (!sound_record(page.first(kHeadBytes))) damaged(name, "the head's checksum does not match");
  Head head{.major = field<std::uint16_t>(page, 8),
            .minor = field<std::uint16_t>(page, 10),
            .endian_tag = field<std::uint32_t>(page, 12),
            .required_features = field<std::uint64_t>(page, 16),
            .optional_features = field<std::uint64_t>(page, 24)};
  if (head.endian_tag != kEndianTag)  // nothing after this can be read, so it cannot wait for the other checksums
    throw Incompatible(
        fmt::format("{}: an index of a big-endian machine; this program reads little-endian ones: build it "
                    "again on this machine",
                    display_path(name)));
  return head;
}

/// After the checksums: a sound file may still be of a kind that this version does not know.
void check_version(const Head& head, const std::string& name) {
  if (head.major != kMajor)
    throw Incompatible(
        fmt::format("{}: index format {}.{}, this program reads {}.x; use the version that wrote it, or build "
                    "the index again",
                    display_path(name), head.major, head.minor, kMajor));
  if (const std::uint64_t unknown = head.required_features & ~kKnownFeatures)
    throw Incompatible(
        fmt::format("{}: the index needs features that this program does not know (bits {:#x}); use a newer "
                    "version",
                    display_path(name), unknown));
}

/// Why the root in `slot` cannot be used; empty if its record is sound and fits the file.
std::string read_root(Bytes page, std::size_t slot, std::uint64_t file_bytes, Root& root) {
  const Bytes record = page.subspan(kRootOffsets[slot], kRootBytes);
  if (!sound_record(record)) return "the checksum of a root record does not match";
  if (as_text(record.first(kRootMagic.size())) != kRootMagic) return "a root record has another signature";
  root = {.generation = field<std::uint64_t>(record, 8),
          .end = field<std::uint64_t>(record, 16),
          .table_offset = field<std::uint64_t>(record, 24),
          .table_bytes = field<std::uint64_t>(record, 32),
          .table_digest = digest_at(record, 40),
          .next_id = field<std::uint64_t>(record, 56)};
  if (root.generation % 2 != slot) return fmt::format("generation {} lies in slot {}", root.generation, slot);
  if (root.end > file_bytes) return fmt::format("the file is cut off: {} bytes of {}", file_bytes, root.end);
  const bool fits = root.table_offset % kPage == 0 && root.table_offset >= kPage && root.table_bytes > 0 &&
                    root.table_bytes % kEntryBytes == 0 && root.table_offset < root.end &&
                    root.table_bytes <= root.end - root.table_offset &&
                    root.table_offset + padded(root.table_bytes) == root.end;
  return fits ? "" : "the section table lies outside the file";
}

/// The checksum covers the padding, which must be zero.
bool sound_section(Bytes file, std::uint64_t offset, std::uint64_t bytes, const Xxh3& digest) {
  const Bytes whole = file.subspan(offset, padded(bytes));
  return sound(whole, digest) && all_zero(whole.subspan(bytes));
}

/// The table's sections follow one another from the first page to the table without gap, so that no byte is outside all
/// checksums and none belongs to two sections.
std::vector<Section> read_table(Bytes file, const Root& root, const std::string& name) {
  if (!sound_section(file, root.table_offset, root.table_bytes, root.table_digest))
    damaged(name, "the section table's checksum does not match");
  std::vector<Section> sections;
  std::uint64_t next = kPage;
  for (std::uint64_t at = root.table_offset; at < root.table_offset + root.table_bytes; at += kEntryBytes) {
    const Bytes entry = file.subspan(at, kEntryBytes);
    Section section{.segment = field<std::uint32_t>(entry, 0),
                    .kind = static_cast<SectionKind>(field<std::uint32_t>(entry, 4)),
                    .type = static_cast<ElementType>(field<std::uint32_t>(entry, 8)),
                    .offset = field<std::uint64_t>(entry, 16),
                    .bytes = field<std::uint64_t>(entry, 24),
                    .digest = digest_at(entry, 32)};
    if (section.offset != next || section.bytes > root.table_offset - next)
      damaged(name, fmt::format("section {} does not follow the one before", sections.size()));
    next += padded(section.bytes);
    sections.push_back(section);
  }
  if (next != root.table_offset) damaged(name, "there are bytes that no section holds");
  return sections;
}

/// The unsound section that comes first in the file, if any is. They are hashed on all threads where that is worth
/// waking them.
const Section* first_unsound(Bytes file, std::vector<const Section*> sections) {
  constexpr std::uint64_t kWorthThreads = 4ULL << 20;
  std::uint64_t bytes = 0;
  for (const Section* section : sections) bytes += section->bytes;
  const std::size_t grain = bytes < kWorthThreads ? sections.size() + 1 : 1;
  // The longest first, since nobody can help with a section.
  std::ranges::stable_sort(sections, std::greater<>(), &Section::bytes);
  std::vector<char> bad(sections.size());
  parallel_blocks(sections.size(), grain, [&](std::size_t begin, std::size_t end) {
    for (std::size_t i = begin; i < end; ++i)
      bad[i] = !sound_section(file, sections[i]->offset, sections[i]->bytes, sections[i]->digest);
  });
  const Section* first = nullptr;
  for (std::size_t i = 0; i < sections.size(); ++i)
    if (bad[i] && (first == nullptr || sections[i]->offset < first->offset)) first = sections[i];
  return first;
}

/// Compares sections, by their numbers, with a segment and kind.
struct KeyLess {
  using Key = std::tuple<const std::uint32_t&, const SectionKind&>;
  const std::vector<Section>& sections;

  Key key(std::uint32_t i) const { return {sections[i].segment, sections[i].kind}; }
  bool operator()(std::uint32_t a, const Key& b) const { return key(a) < b; }
  bool operator()(const Key& a, std::uint32_t b) const { return a < key(b); }
};

}  // namespace

std::string_view to_string(SectionKind kind) {
  switch (kind) {
    case SectionKind::table:
      return "section table";
    case SectionKind::meta:
      return "description";
    case SectionKind::vectors:
      return "vectors";
    case SectionKind::ids:
      return "ids";
    case SectionKind::row_offsets:
      return "row offsets";
    case SectionKind::rows:
      return "rows";
    case SectionKind::path_hashes:
      return "path hashes";
    case SectionKind::tombstones:
      return "tombstones";
    case SectionKind::unused:
      return "unused";
    case SectionKind::label_hashes:
      return "label hashes";
    case SectionKind::int8_codes:
    case SectionKind::list_codes:
    case SectionKind::hyperplane_codes:
      return "codes";
    case SectionKind::int8_factors:
    case SectionKind::list_factors:
      return "factors";
    case SectionKind::centroids:
      return "centroids";
    case SectionKind::codebooks:
      return "codebooks";
    case SectionKind::list_offsets:
      return "list offsets";
    case SectionKind::list_rows:
      return "list rows";
    case SectionKind::graph_nodes:
      return "graph nodes";
    case SectionKind::graph_upper:
      return "graph links";
    case SectionKind::hyperplanes:
      return "hyperplanes";
  }
  return "section";
}

bool checked_at_opening(SectionKind kind) {
  switch (kind) {
    case SectionKind::vectors:
    case SectionKind::int8_codes:
    case SectionKind::list_codes:
    case SectionKind::hyperplane_codes:
    case SectionKind::graph_nodes:
      return false;
    default:
      return true;
  }
}

void Container::set_sections(std::vector<Section> sections) {
  sections_ = std::move(sections);
  order_.resize(sections_.size());
  std::iota(order_.begin(), order_.end(), 0);
  std::stable_sort(order_.begin(), order_.end(), [&](std::uint32_t a, std::uint32_t b) {
    return std::tie(sections_[a].segment, sections_[a].kind) < std::tie(sections_[b].segment, sections_[b].kind);
  });
}

void Container::read(const Root& root, Check check) {
  root_ = root;
  set_sections(read_table(file_, root, name_));
  const bool whole = check == Check::all || root.end <= kWholeCheckBytes;
  std::vector<const Section*> checked;
  for (const Section& section : sections_)
    if (whole || checked_at_opening(section.kind)) checked.push_back(&section);
  if (const Section* const bad = first_unsound(file_, std::move(checked)))
    damaged(name_, fmt::format("the {} at byte {} do not match their checksum", to_string(bad->kind), bad->offset));
}

/// `page` is the first page, read at one moment before `file` was mapped: a writer may replace a root record at any
/// time, and makes the file longer before that.
Container Container::assemble(Bytes page, Bytes file, std::string name, Check check) {
  Container out;
  out.name_ = std::move(name);
  out.file_ = file;
  out.head_ = read_head(page, out.name_);
  if (!all_zero(page.subspan(kHeadBytes, kRootOffsets[0] - kHeadBytes)) ||
      !all_zero(page.subspan(kRootOffsets[1] + kRootBytes, kPage - kRootOffsets[1] - kRootBytes)))
    damaged(out.name_, "bytes of the first page that must be zero are not");
  Root roots[2];
  const std::string reasons[2] = {read_root(page, 0, file.size(), roots[0]), read_root(page, 1, file.size(), roots[1])};
  if (!reasons[0].empty() && !reasons[1].empty()) damaged(out.name_, reasons[0]);
  for (std::size_t slot = 0; slot < 2; ++slot) {
    if (!reasons[slot].empty())
      throw DamagedFile(
          fmt::format("{}: damaged index: root record {} of 2 is unusable: {}; cbir-index recover saves what the "
                      "other one describes",
                      display_path(out.name_), slot + 1, reasons[slot]));
  }
  const std::size_t newest = roots[0].generation > roots[1].generation ? 0 : 1;
  if (roots[newest].generation != roots[1 - newest].generation + 1)
    damaged(out.name_, "the two root records are not of successive generations");
  out.read(roots[newest], check);
  // The older root must be one that a reader could go back to.
  if (roots[1 - newest].table_offset != roots[newest].table_offset) read_table(file, roots[1 - newest], out.name_);
  check_version(out.head_, out.name_);
  return out;
}

Container Container::parse(Bytes file, std::string name, Check check) {
  return assemble(file.first(std::min<std::size_t>(file.size(), kPage)), file, std::move(name), check);
}

Container Container::open(const std::string& path, Check check) { return open(open_input(path), path, check); }

/// What looks damaged may be a root record that was read while it was being written: then the page is another one now.
Container Container::open(const Fd& file, const std::string& path, Check check) {
  for (;;) {
    regular_size(file, path);  // nothing else is read
    const std::vector<std::byte> page = read_at(file, 0, kPage, path);
    MappedFile mapping(file, regular_size(file, path), path);
    try {
      Container out = assemble(page, mapping.bytes(), path, check);
      out.mapping_ = std::move(mapping);
      return out;
    } catch (const DamagedFile&) {
      std::this_thread::sleep_for(kWritten);
      if (read_at(file, 0, kPage, path) == page) throw;
    }
  }
}

Container Container::salvage(const std::string& path, std::string& lost) {
  Container out;
  out.name_ = path;
  out.mapping_ = MappedFile(path);
  out.file_ = out.mapping_.bytes();
  out.head_ = read_head(out.file_, path);
  check_version(out.head_, path);
  Root roots[2];
  std::string reasons[2];
  for (std::size_t slot = 0; slot < 2; ++slot) {
    reasons[slot] = read_root(out.file_, slot, out.file_.size(), roots[slot]);
    if (!reasons[slot].empty()) continue;
    try {
      out.read(roots[slot], Check::all);
    } catch (const DamagedFile& error) {
      reasons[slot] = error.what();
    }
  }
  lost.clear();
  for (std::size_t slot = 0; slot < 2; ++slot)
    if (!reasons[slot].empty())
      lost += fmt::format("{}root record {} of 2: {}", lost.empty() ? "" : "; ", slot + 1, reasons[slot]);
  if (!reasons[0].empty() && !reasons[1].empty()) damaged(path, "nothing can be recovered: " + lost);
  const bool second = !reasons[0].empty() || (reasons[1].empty() && roots[1].generation > roots[0].generation);
  out.read(roots[second ? 1 : 0], Check::all);
  return out;
}

const Section* Container::find(std::uint32_t segment, SectionKind kind) const {
  const auto [first, last] =
      std::equal_range(order_.begin(), order_.end(), std::tie(segment, kind), KeyLess{sections_});
  if (first == last) return nullptr;
  if (std::next(first) != last) damaged(name_, fmt::format("segment {} has {} twice", segment, to_string(kind)));
  return &sections_[*first];
}

std::optional<Bytes> Container::optional_content(std::uint32_t segment, SectionKind kind, ElementType type) const {
  const Section* const found = find(segment, kind);
  if (!found) return std::nullopt;
  if (found->type != type)
    damaged(name_, fmt::format("the {} of segment {} are of another type", to_string(kind), segment));
  return content(*found);
}

Bytes Container::content(std::uint32_t segment, SectionKind kind, ElementType type) const {
  const std::optional<Bytes> found = optional_content(segment, kind, type);
  if (!found) damaged(name_, fmt::format("segment {} has no {}", segment, to_string(kind)));
  return *found;
}

std::vector<std::uint32_t> Container::segments() const {
  std::vector<std::uint32_t> numbers;
  for (const Section& section : sections_)
    if (section.segment != 0) numbers.push_back(section.segment);
  std::sort(numbers.begin(), numbers.end());
  numbers.erase(std::unique(numbers.begin(), numbers.end()), numbers.end());
  return numbers;
}

}  // namespace cbir
