#pragma once
/// The features of many pictures in one file, NAME.local, that is memory-mapped: what stands in for opening pictures
/// again. The layout is docs/formats.md. Descriptors are kept in half precision, as bytes where they are whole numbers
/// up to 255 (those of SIFT, of which nothing is lost), or as bits.

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <cbir/base/file.hpp>
#include <cbir/base/hash.hpp>
#include <cbir/local/local.hpp>

namespace cbir {

struct LocalFileInfo {
  LocalKind kind = {};
  std::size_t keypoints = 1000;  ///< as in LocalOptions: what a picture to compare with is extracted by
  int max_side = 1024;
  std::string rows_xxh3 = {};  ///< of NAME.rows.jsonl beside which it was made, 32 hex digits; empty: of no set
};

/// What features are of: a picture, or a part of one.
struct LocalSource {
  std::string name = {};        ///< the path of the set's row
  std::array<int, 4> box = {};  ///< left, top, right, bottom in pixels of the picture; zeros: all of it
  Xxh3 picture = {};            ///< of the picture's file; zeros: not known

  bool operator==(const LocalSource&) const = default;
};

/// "NAME.local" for a set's name, or for a file that is called so already.
std::string local_path(const std::string& name);

class LocalFile {
 public:
  /// Checks everything but the features themselves. Throws MissingInput, DamagedFile, Incompatible (another kind of
  /// file, or version).
  static LocalFile open(const std::string& path);

  const LocalFileInfo& info() const noexcept { return info_; }
  const std::string& path() const noexcept { return file_.path(); }
  const Xxh3& digest() const noexcept { return digest_; }  ///< of its head: tells it from other files
  std::size_t size() const noexcept { return pictures_; }  ///< pictures, in the order of the set's rows
  std::uint64_t keypoints() const noexcept { return keypoints_; }

  /// Of one picture, checked whole. Thread-safe. Throws DamagedFile.
  LocalFeatures features(std::size_t row) const;
  LocalSource source(std::size_t row) const;

  /// Calls for each row, in no order, with xxh3_64() of its name: records are not read for that. Throws DamagedFile.
  void each_name(const std::function<void(std::uint64_t hash, std::size_t row)>& call) const;

  /// The first row of this name. Throws DamagedFile.
  std::optional<std::size_t> find(std::string_view name) const;

  /// The record of the features of this very source, to be written to another file of the same kind; empty if there is
  /// none, or the picture's file is not known. Throws DamagedFile.
  Bytes find_record(const LocalSource& source) const;

  /// Checks every byte. Throws DamagedFile.
  void verify() const;

 private:
  LocalFile() = default;
  Bytes record(std::size_t row) const;

  MappedFile file_;
  LocalFileInfo info_;
  Xxh3 digest_ = {};
  std::size_t pictures_ = 0;
  std::uint64_t keypoints_ = 0, index_ = 0;
};

/// Room for the head, at the beginning of the file.
inline constexpr std::size_t kLocalHead = 256;

/// The record of one picture. Throws UsageError if the features are not of this kind, or not finite.
std::string local_record(const LocalKind& kind, const LocalSource& source, const LocalFeatures& features);

/// How many bytes the record takes that `bytes` begin with, if it is whole, sound and of this source; else 0.
std::size_t sound_record(Bytes bytes, const LocalKind& kind, const LocalSource& source);

/// What makes a file of records: `head` in place of the first kLocalHead bytes, `tail` behind the last.
struct LocalFrame {
  std::string head, tail;
};

/// `records`: kLocalHead bytes of anything, then records. Throws DamagedFile, by `name`, if they are not whole.
LocalFrame frame_local_records(Bytes records, const LocalFileInfo& info, const std::string& name);

/// Writes a file picture by picture.
class LocalFileWriter {
 public:
  /// Throws OutputError.
  LocalFileWriter(const std::string& path, LocalFileInfo info, bool overwrite);

  void add(const LocalSource& source, const LocalFeatures& features);
  void commit();

 private:
  OutputFile out_;
  std::string path_;
  LocalFileInfo info_;
};

}  // namespace cbir
