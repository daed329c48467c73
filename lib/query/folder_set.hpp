#pragma once
/// The embedding set behind a folder's index, made anew out of what did not change and what is extracted.

#include <string>
#include <unordered_map>

#include <cbir/extract/extract.hpp>
#include <cbir/query/folder.hpp>

namespace cbir {

/// What tells each listed file from one that was changed, as text; as a file, one line each.
class Stamps {
 public:
  static Stamps of(const Listing& listing);
  /// As written earlier; none if the file is not there.
  static Stamps read(const std::string& path);

  const std::string& text() const noexcept { return text_; }
  /// The stamp of a path, empty if it has none.
  const std::string& at(const std::string& path) const;

 private:
  void add(std::string_view line);

  std::string text_;
  std::unordered_map<std::string, std::string> by_path_;
};

struct FolderUpdate {
  std::uint64_t extracted = 0, reused = 0, failed = 0;
};

class FolderSet {
 public:
  explicit FolderSet(const std::string& cache) : cache_(cache) {}

  std::string name() const { return cache_ + "/pictures"; }

  /// Makes the set of the files as they are now. The caller holds the folder's lock.
  FolderUpdate update(const Listing& listing, const Stamps& stamps, const EncoderChoice& encoder,
                      const DecodeOptions& decode, const FolderProgress& progress) const;

  /// Removes what update() needs only if it is stopped and called again.
  void clean_up() const;

 private:
  std::string update_name() const { return cache_ + "/update"; }

  std::string cache_;
};

}  // namespace cbir
