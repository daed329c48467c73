#pragma once
/// The .cbir file: a head, two root records, and sections that a table names. The layout is docs/formats.md.
///
/// Reading trusts nothing: checksums come first, then versions, and what a section holds is for its user to check.

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <cbir/base/file.hpp>
#include <cbir/base/hash.hpp>
#include <cbir/index/index.hpp>

namespace cbir {

namespace container {
/// High bit set, CR LF and ^Z: a transfer as text damages it visibly.
inline constexpr std::string_view kMagic =
    "\x89"
    "CBIR\r\n\x1a";
inline constexpr std::string_view kRootMagic = "CBIRROOT";
inline constexpr std::uint64_t kPage = 4096;  ///< head and roots take the first; sections start at multiples
inline constexpr std::size_t kHeadBytes = 64;
inline constexpr std::size_t kRootBytes = 512;
inline constexpr std::size_t kRootOffsets[2] = {512, 1024};  ///< generation g lies in slot g mod 2
inline constexpr std::size_t kEntryBytes = 64;               ///< of the section table
inline constexpr std::uint16_t kMajor = 1, kMinor = 1;
inline constexpr std::uint32_t kEndianTag = 0x01020304;
/// A required feature: sections of removed rows and of earlier generations may be there. Set in all files since 1.1.
inline constexpr std::uint64_t kGrowing = 1;
inline constexpr std::uint64_t kKnownFeatures = kGrowing;       ///< required ones that this version reads
inline constexpr std::uint64_t kWholeCheckBytes = 64ULL << 20;  ///< up to this size, opening checks everything

inline std::uint64_t padded(std::uint64_t bytes) { return (bytes + kPage - 1) / kPage * kPage; }
}  // namespace container

enum class SectionKind : std::uint32_t {
  table = 1,
  meta = 2,
  vectors = 3,
  ids = 4,
  row_offsets = 5,
  rows = 6,
  path_hashes = 7,
  tombstones = 8,  ///< a bit a row: removed
  unused = 9,      ///< what an earlier generation had and this one has not; kept under its checksum
  label_hashes = 10,
  int8_codes = 16,
  int8_factors = 17,
  centroids = 32,  ///< of segment 0, as all that the segments of an index share
  codebooks = 33,  ///< of segment 0
  list_offsets = 34,
  list_rows = 35,
  list_codes = 36,
  list_factors = 37,
  graph_nodes = 48,
  graph_upper = 50,
  hyperplanes = 64,  ///< of segment 0
  hyperplane_codes = 65,
};
std::string_view to_string(SectionKind kind);  ///< "section" for unknown ones

enum class ElementType : std::uint32_t { byte = 1, uint64 = 2, float32 = 3, int8 = 4, uint32 = 5, uint16 = 6 };

struct Section {
  std::uint32_t segment = 0;  ///< 0: belongs to the whole index; segments count from 1
  SectionKind kind = SectionKind::meta;
  ElementType type = ElementType::byte;
  std::uint64_t offset = 0;
  std::uint64_t bytes = 0;
  Xxh3 digest{};
};

struct Head {
  std::uint16_t major = container::kMajor, minor = container::kMinor;
  std::uint32_t endian_tag = container::kEndianTag;
  std::uint64_t required_features = container::kGrowing, optional_features = 0;
};

struct Root {
  std::uint64_t generation = 0;
  std::uint64_t end = 0;  ///< the file's bytes that belong to this generation
  std::uint64_t table_offset = 0;
  std::uint64_t table_bytes = 0;
  Xxh3 table_digest{};
  std::uint64_t next_id = 0;
};

/// Whether opening checks sections of this kind in files of more than kWholeCheckBytes. Of those that it does not,
/// wrong values make wrong scores, and never a wild read.
bool checked_at_opening(SectionKind kind);

/// Fixed-size records as they lie in the file, own checksum included.
std::vector<std::byte> serialize(const Head& head);
std::vector<std::byte> serialize(const Root& root);
std::vector<std::byte> serialize(const std::vector<Section>& table);

/// A container opened for reading.
class Container {
 public:
  /// The newest generation, whatever a writer does meanwhile. Throws MissingInput, DamagedFile, Incompatible.
  static Container open(const std::string& path, Check check);
  static Container open(const Fd& file, const std::string& path, Check check);
  /// As open, of bytes that the caller keeps.
  static Container parse(Bytes file, std::string name, Check check);
  /// The newest generation that is sound in everything, though the other root may not be. Throws DamagedFile if there
  /// is none. `lost` says what is wrong with the other root; empty if nothing is.
  static Container salvage(const std::string& path, std::string& lost);

  const std::string& name() const noexcept { return name_; }
  const Head& head() const noexcept { return head_; }
  const Root& root() const noexcept { return root_; }
  const std::vector<Section>& sections() const noexcept { return sections_; }
  /// Bytes after the end: what an append that was cut short left.
  std::uint64_t leftover() const noexcept { return file_.size() - root_.end; }
  Bytes bytes() const noexcept { return file_; }

  Bytes content(const Section& section) const { return file_.subspan(section.offset, section.bytes); }
  /// The one such section, or nothing. Throws DamagedFile if there are several.
  const Section* find(std::uint32_t segment, SectionKind kind) const;
  /// The content of the one such section. Throws DamagedFile if there is none, several, or one of another type.
  Bytes content(std::uint32_t segment, SectionKind kind, ElementType type) const;
  /// The same of a section that need not be there.
  std::optional<Bytes> optional_content(std::uint32_t segment, SectionKind kind, ElementType type) const;
  /// Numbers of the segments, ascending.
  std::vector<std::uint32_t> segments() const;

 private:
  friend class ContainerWriter;
  friend class ContainerAppender;
  static Container assemble(Bytes page, Bytes file, std::string name, Check check);
  void read(const Root& root, Check check);
  void set_sections(std::vector<Section> sections);

  std::string name_;
  MappedFile mapping_;
  Bytes file_;
  Head head_;
  Root root_;
  std::vector<Section> sections_;
  std::vector<std::uint32_t> order_;  ///< of the sections by segment and kind
};

/// Takes sections one after another, streamed.
class SectionWriter {
 public:
  virtual ~SectionWriter() = default;
  virtual void begin(std::uint32_t segment, SectionKind kind, ElementType type) = 0;
  virtual void write(Bytes data) = 0;
  virtual void end() = 0;

  /// A whole section at once.
  template <typename T>
  void section(std::uint32_t segment, SectionKind kind, ElementType type, std::span<const T> elements) {
    begin(segment, kind, type);
    write(std::as_bytes(elements));
    end();
  }

  /// The sections that there are up to now, for reading.
  virtual Container written() = 0;
};

/// Writes a container of one generation: sections one after another, streamed, then table and roots.
class ContainerWriter : public SectionWriter {
 public:
  /// Throws OutputError.
  ContainerWriter(const std::string& path, bool overwrite);

  void begin(std::uint32_t segment, SectionKind kind, ElementType type) override;
  void write(Bytes data) override;
  void end() override;
  /// Of no generation yet, so without root.
  Container written() override;
  /// Makes the file visible; returns its size.
  std::uint64_t finish(std::uint64_t next_id);

 private:
  void pad();

  std::string name_;
  OutputFile file_;
  std::vector<Section> table_;
  std::optional<Xxh3Hasher> hasher_;
};

}  // namespace cbir
