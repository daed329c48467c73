#pragma once
/// Which files are to be extracted: walking folders, or taking a list, in a natural and stable order.

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <cbir/extract/boxes.hpp>
#include <cbir/store/shard.hpp>

namespace cbir {

struct ListingOptions {
  // Globs (glob_match) of names, or of paths below PATH; for walks only.
  std::vector<std::string> include;  ///< if any are given, only files that match one of them
  std::vector<std::string> exclude;  ///< files and folders that match one of them are left out
  bool hidden = false;               ///< whether a walk enters files and folders whose name starts with a dot
};

struct ListedFile {
  std::string path;
  bool named = false;   ///< named explicitly: it fails if it is no picture, while a walk passes it over
  std::string problem;  ///< not empty: it cannot be taken, and why (a folder that cannot be opened, a loop, ...)
  std::string id = {};  ///< what the row is called, if that is not the path
  std::optional<Box> box = {};  ///< the part of the picture that is taken, if not all of it

  const std::string& name() const noexcept { return id.empty() ? path : id; }
};

/// A list of files that may hold millions: their paths lie packed in one block of memory.
class FileList {
 public:
  std::size_t size() const noexcept { return ends_.size(); }
  bool empty() const noexcept { return ends_.empty(); }
  ListedFile operator[](std::size_t i) const;
  void push_back(const ListedFile& file);
  /// Makes room for so many files whose paths have so many bytes, so that the list need not grow by doubling.
  void reserve(std::size_t files, std::size_t path_bytes);

  class Iterator {
   public:
    Iterator(const FileList& list, std::size_t i) : list_(&list), i_(i) {}
    ListedFile operator*() const { return (*list_)[i_]; }
    Iterator& operator++() { return ++i_, *this; }
    bool operator!=(const Iterator& other) const { return i_ != other.i_; }

   private:
    const FileList* list_;
    std::size_t i_;
  };
  Iterator begin() const { return {*this, 0}; }
  Iterator end() const { return {*this, size()}; }

 private:
  std::string paths_;                ///< one behind the other
  std::vector<std::uint64_t> ends_;  ///< of each path
  std::vector<bool> named_;
  std::map<std::size_t, std::string> problems_;
  struct Part {
    std::string id;
    std::optional<Box> box;
  };
  std::vector<Part> parts_;  ///< of each file, up to the last that has an id or a box
};

struct Listing {
  FileList files;             ///< in the order of the rows to come
  std::uint64_t ignored = 0;  ///< passed over: neither a picture's signature nor a picture's extension, FIFOs, sockets
  std::optional<Shards> shard = {};      ///< the part of a list that this is, if it is not the whole
  std::vector<std::uint64_t> seqs = {};  ///< of a part: where its files stand in the whole list

  /// Where files[i] stands in the whole list.
  std::uint64_t seq(std::size_t i) const { return shard ? seqs[i] : i; }
};

/// The part of a list whose files' paths belong to it by part_of_path(). Throws UsageError unless 1 <= part <= of.
Listing take_shard(const Listing& listing, std::uint64_t part, std::uint64_t of);

/// Walks folders, depth first, entries of a folder in natural order; PATHs themselves in the order given. Symbolic
/// links are followed; a loop is reported once and not entered. `path` is PATH as given, '/', and the path below it.
/// Throws MissingInput if a PATH does not exist, or if nothing at all was listed.
Listing list_paths(const std::vector<std::string>& paths, const ListingOptions& options);

/// The lines of a list (`separator` '\n' or '\0'), each a file named explicitly, verbatim. Empty lines are passed over.
Listing list_lines(std::string_view text, char separator);

}  // namespace cbir
