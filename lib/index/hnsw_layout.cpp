#include "lib/index/hnsw_layout.hpp"

#include <fmt/format.h>

#include <cbir/base/error.hpp>
#include <cbir/base/parallel.hpp>
#include <cbir/base/text.hpp>

namespace cbir {
namespace {

constexpr std::size_t kRecordHead = 3;  // numbers before a record's links: row, record below, count of links

}  // namespace

std::size_t Graph::node_bytes(std::size_t dim, std::size_t links) {
  const std::size_t bytes = padded_codes(dim) + sizeof(NodeTail) + 2 * links * sizeof(std::uint32_t);
  return (bytes + kNodeLine - 1) / kNodeLine * kNodeLine;
}

Graph::Graph(const Container& container, std::uint32_t segment, std::size_t rows, std::size_t dim, std::size_t links)
    : name_(container.name()),
      segment_(segment),
      rows_(rows),
      stride_(node_bytes(dim, links)),
      code_count_(padded_codes(dim)),
      max_links_(links) {
  const auto demand = [&](bool holds, const char* what) {
    if (!holds)
      throw DamagedFile(
          fmt::format("{}: damaged index: segment {}: {}; build it again", display_path(name_), segment_, what));
  };
  const Bytes nodes = container.content(segment, SectionKind::graph_nodes, ElementType::byte);
  demand(nodes.size() % stride_ == 0 && nodes.size() / stride_ == rows, "there are not as many graph nodes as rows");
  nodes_ = nodes.data();

  const Bytes upper = container.content(segment, SectionKind::graph_upper, ElementType::uint32);
  const std::span<const std::uint32_t> numbers(reinterpret_cast<const std::uint32_t*>(upper.data()),
                                               upper.size() / sizeof(std::uint32_t));
  demand(numbers.size() >= 2 && numbers[0] <= kMaxLevels && numbers.size() >= 2 + numbers[0],
         "the graph's levels are cut short");
  entry_ = numbers[1];
  const std::size_t levels = numbers[0], record = kRecordHead + links;
  std::size_t begin = 2 + levels;
  for (std::size_t level = 0; level < levels; ++level) {
    const std::size_t size = numbers[2 + level] * record;
    demand(size <= numbers.size() - begin, "the graph's levels are cut short");
    upper_.push_back(numbers.subspan(begin, size));
    begin += size;
  }
  demand(begin == numbers.size(), "there is more than the graph's levels");
  demand(entry_ < (levels == 0 ? rows : numbers[1 + levels]), "the graph is entered where nothing is");
}

Graph::Record Graph::record(std::size_t level, std::uint32_t number) const {
  const std::span<const std::uint32_t> records = upper_[level - 1];
  const std::size_t size = kRecordHead + max_links_;
  if (number >= records.size() / size) damaged(number, "is a record of an upper level that is not there");
  const std::span<const std::uint32_t> record = records.subspan(number * size, size);
  if (record[0] >= rows_ || record[2] > max_links_) damaged(record[0], "of an upper level is out of range");
  return {record[0], record[1], record.subspan(kRecordHead, record[2])};
}

void Graph::verify() const {
  parallel_blocks(rows_, 4096, [&](std::size_t begin, std::size_t end) {
    for (std::size_t row = begin; row < end; ++row) {
      const auto from = static_cast<std::uint32_t>(row);
      for (const std::uint32_t link : links(from)) checked(link, from);
      next_copy(from);
    }
  });
  for (std::size_t level = 1; level <= levels(); ++level) {
    const std::size_t count = upper_[level - 1].size() / (kRecordHead + max_links_);
    for (std::size_t i = 0; i < count; ++i) {
      const Record of = record(level, static_cast<std::uint32_t>(i));
      for (const std::uint32_t link : of.links) record(level, link);
      if (level > 1 && record(level - 1, of.below).row != of.row) damaged(of.row, "is another one on the level below");
    }
  }
}

void Graph::damaged(std::uint64_t row, const char* what) const {
  throw DamagedFile(fmt::format("{}: damaged index: segment {}: graph: row {} {}; build it again", display_path(name_),
                                segment_, row, what));
}

}  // namespace cbir
