#pragma once
/// A set that was made earlier with the same arguments, as the source of what a new run need not do again.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <cbir/extract/picture.hpp>
#include <cbir/store/set.hpp>

namespace cbir {

/// What tells an item's content from another's: the file's bytes, and the part of the picture, unless it was found
/// there.
struct Content {
  std::string xxh3;
  std::uint64_t bytes = 0;
  std::optional<RowBox> box = {};

  bool operator==(const Content&) const = default;
};

/// What the rows of an item are: one of a whole picture or of a given box, or as many as things were found in a
/// picture.
enum class ItemRows { one, regions };

/// Of regions that of their picture: where they lie follows from it.
Content content_of(const RowInfo& row, ItemRows rows);
/// What the item is called that a row, or a failure, is of.
const std::string& item_name(const RowInfo& row, ItemRows rows);

/// Everything that an earlier run's list named, rows and failures in its order. Of a picture with regions of which one
/// could not be cut, that is a failure. Memory: the names, and some 60 bytes an item; rows and vectors stay in their
/// files, which may be replaced meanwhile.
class Previous {
 public:
  /// `stamps`: the file with a Stamp for each item. Throws as EmbeddingSet::open() does, and DamagedFile if set and
  /// stamps don't fit each other.
  Previous(const std::string& set_name, const std::string& stamps, ItemRows rows);

  std::size_t size() const noexcept { return items_.size(); }
  const Manifest& manifest() const { return *set_.manifest(); }

  /// The first item of this name.
  std::optional<std::size_t> find(std::string_view name) const;
  /// An item with a row of this content.
  std::optional<std::size_t> find(const Content& content) const;

  std::string_view name(std::size_t item) const;
  ItemRows kind() const noexcept { return kind_; }
  /// How many rows the item has; 0 of a failure.
  std::size_t rows(std::size_t item) const { return items_[item].rows; }
  RowInfo row(std::size_t item, std::size_t number = 0) const { return set_.row(items_[item].first + number); }
  Content content(std::size_t item) const { return content_of(row(item), kind_); }
  const FailedItem& failure(std::size_t item) const { return failures_[items_[item].first]; }
  Stamp stamp(std::size_t item) const;
  void read_vector(std::size_t item, std::size_t number, float* out) const;

 private:
  using Lookup = std::vector<std::pair<std::uint64_t, std::uint32_t>>;  ///< hash, item; ascending
  struct Item {
    std::uint32_t first = 0;  ///< of its rows; or, if it has none, its failure
    std::uint32_t rows = 0;
  };
  struct Seen;

  void read_failures(const std::string& path);
  std::vector<Seen> seen_lines(const std::string& rows_path) const;
  void add_item(const std::vector<Seen>& seen, std::size_t first, std::size_t last);

  EmbeddingSet set_;
  MappedFile stamps_;
  std::vector<FailedItem> failures_;
  ItemRows kind_;
  std::vector<Item> items_;
  std::string names_;  ///< one behind the other
  std::vector<std::uint64_t> name_ends_;
  Lookup by_name_, by_content_;
};

}  // namespace cbir
