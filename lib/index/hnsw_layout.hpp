#pragma once
/// How a graph lies in the file (docs/formats.md): nodes of one size, with all that a search needs of a row side by
/// side, and the few rows that are on upper levels.

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "lib/index/container.hpp"
#include "lib/index/int8_kernels.hpp"

namespace cbir {

/// Of a node's 64-byte lines the first hold the codes, then come NodeTail and 2 M links: rows, as 32-bit numbers.
struct NodeTail {
  float scale = 0;              ///< the vector less the mean is about scale * codes
  float half_norm = 0;          ///< half the squared length of that
  std::uint32_t next_copy = 0;  ///< the next row of the same codes, which has no links of its own; 0: none
  std::uint32_t link_count = 0;
};

inline constexpr std::size_t kNodeLine = 64;
inline constexpr std::size_t kMaxLinks = 512;  ///< M at most
inline constexpr std::size_t kMaxLevels = 64;  ///< far above what hnswlib draws

/// A graph in the file. Numbers that it holds are checked when they are used: whatever accesses rows or records by
/// them throws DamagedFile if they are out of range.
class Graph {
 public:
  Graph() = default;
  /// Throws DamagedFile if the sections are not of the size that rows, dimension and links make.
  Graph(const Container& container, std::uint32_t segment, std::size_t rows, std::size_t dim, std::size_t links);

  /// Bytes from one node to the next.
  static std::size_t node_bytes(std::size_t dim, std::size_t links);

  std::size_t rows() const noexcept { return rows_; }
  std::size_t stride() const noexcept { return stride_; }
  std::size_t code_count() const noexcept { return code_count_; }
  CodeRows codes() const noexcept { return {reinterpret_cast<const std::int8_t*>(nodes_), stride_}; }
  const std::byte* node(std::uint32_t row) const noexcept { return nodes_ + row * stride_; }
  const NodeTail& tail(std::uint32_t row) const noexcept {
    return *reinterpret_cast<const NodeTail*>(node(row) + code_count_);
  }
  std::span<const std::uint32_t> links(std::uint32_t row) const {
    const NodeTail& of = tail(row);
    if (of.link_count > 2 * max_links_) damaged(row, "has too many links");
    return {reinterpret_cast<const std::uint32_t*>(&of + 1), of.link_count};
  }
  /// The next copy of a row; 0: none. Copies ascend.
  std::uint32_t next_copy(std::uint32_t row) const {
    const std::uint32_t next = tail(row).next_copy;
    if (next != 0 && (next <= row || next >= rows_)) damaged(row, "has a copy out of range");
    return next;
  }
  std::uint32_t checked(std::uint32_t link, std::uint32_t from) const {
    if (link >= rows_) damaged(from, "is linked to a row that is not there");
    return link;
  }

  /// A row on an upper level. Links are numbers of records on the same level.
  struct Record {
    std::uint32_t row = 0;
    std::uint32_t below = 0;  ///< the same row's record one level down; none on level 1
    std::span<const std::uint32_t> links;
  };
  std::size_t levels() const noexcept { return upper_.size(); }  ///< without the lowest
  std::uint32_t entry() const noexcept { return entry_; }        ///< a record of the highest level, or a row if none
  /// Levels count from 1.
  Record record(std::size_t level, std::uint32_t number) const;

  /// Looks at every link, copy and record.
  void verify() const;

 private:
  [[noreturn]] void damaged(std::uint64_t row, const char* what) const;

  std::string name_;
  std::uint32_t segment_ = 0;
  const std::byte* nodes_ = nullptr;
  std::size_t rows_ = 0, stride_ = 0, code_count_ = 0, max_links_ = 0;
  std::uint32_t entry_ = 0;
  std::vector<std::span<const std::uint32_t>> upper_;  ///< records of each level
};

}  // namespace cbir
