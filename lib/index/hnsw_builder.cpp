#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>

#include <cbir/base/error.hpp>
#include <cbir/base/hash.hpp>
#include <cbir/base/parallel.hpp>

#include "lib/index/aligned.hpp"
#include "lib/index/flat.hpp"
#include "lib/index/hnsw.hpp"
#include "lib/index/hnsw_build.hpp"
#include "lib/index/int8.hpp"
#include "lib/index/int8_kernels.hpp"
#include "lib/index/means.hpp"

namespace cbir {
namespace {

constexpr std::size_t kDefaultEfConstruction = 200;
constexpr std::size_t kDefaultEf = 64;
constexpr std::uint32_t kNoRow = ~std::uint32_t{0};

std::size_t point_bytes(std::size_t codes) { return sizeof(Int8Point) + codes; }

float half_square(std::span<const float> vector) {
  double sum = 0;
  for (const float x : vector) sum += static_cast<double>(x) * static_cast<double>(x);
  return static_cast<float>(sum / 2);
}

/// Makes points out of vectors.
class Encoder {
 public:
  Encoder(MatrixView<const float> vectors, std::span<const float> mean, Metric metric)
      : vectors_(vectors), mean_(mean) {
    if (metric != Metric::dot) return;
    lifted_ = true;
    std::vector<float> largest(vectors.rows / kBlock + 1);
    parallel_blocks(vectors.rows, kBlock, [&](std::size_t begin, std::size_t end) {
      float& most = largest[begin / kBlock];
      for (std::size_t row = begin; row < end; ++row) most = std::max(most, half_square(vectors.row(row)));
    });
    radius_ = *std::max_element(largest.begin(), largest.end());
  }

  /// The vector as an Int8Point and its codes.
  void encode(std::size_t row, std::span<float> scratch, std::span<std::byte> point) const {
    const std::span<const float> vector = vectors_.row(row);
    for (std::size_t i = 0; i < vector.size(); ++i) scratch[i] = vector[i] - mean_[i];
    std::fill(point.begin(), point.end(), std::byte{0});
    const std::span<std::int8_t> codes(reinterpret_cast<std::int8_t*>(point.data()) + sizeof(Int8Point), vector.size());
    const Int8Point head{.scale = quantize_int8(scratch, codes).scale,
                         .half_norm = half_square(scratch),
                         .lift = lifted_ ? std::sqrt(2 * std::max(0.0F, radius_ - half_square(vector))) : 0.0F,
                         .sum = std::accumulate(codes.begin(), codes.end(), std::int32_t{0})};
    std::memcpy(point.data(), &head, sizeof head);
  }

  static constexpr std::size_t kBlock = 1024;

 private:
  MatrixView<const float> vectors_;
  std::span<const float> mean_;
  bool lifted_ = false;
  float radius_ = 0;  ///< half the greatest squared length
};

/// One thread's room to encode in.
struct Room {
  Room(std::size_t dim, std::size_t bytes) : vector(dim), point(bytes) {}
  std::vector<float> vector;
  std::vector<std::byte> point;
};

/// next[i] is the next row of the same codes as row i, 0 if there is none; first[i] says whether no row before is one.
struct Copies {
  std::vector<std::uint32_t> next;
  std::vector<bool> first;
  std::size_t distinct = 0;
};

Copies find_copies(const Encoder& encoder, std::size_t rows, WorkspacePool<Room>& rooms) {
  std::vector<std::pair<std::uint64_t, std::uint32_t>> hashes(rows);
  parallel_blocks(rows, Encoder::kBlock, [&](std::size_t begin, std::size_t end) {
    rooms.with([&](Room& room) {
      for (std::size_t row = begin; row < end; ++row) {
        encoder.encode(row, room.vector, room.point);
        hashes[row] = {xxh3_64(room.point), static_cast<std::uint32_t>(row)};
      }
    });
  });
  std::sort(hashes.begin(), hashes.end());
  Copies out{std::vector<std::uint32_t>(rows), std::vector<bool>(rows), 0};
  for (std::size_t i = 0; i < rows; ++i) {
    const bool first = i == 0 || hashes[i].first != hashes[i - 1].first;
    if (first) ++out.distinct;
    else out.next[hashes[i - 1].second] = hashes[i].second;
    out.first[hashes[i].second] = first;
  }
  return out;
}

void write_nodes(const GraphLinker& linker, const Copies& copies, std::span<const std::uint32_t> node_of,
                 std::size_t codes, std::size_t node_bytes, std::uint32_t segment, SectionWriter& writer) {
  std::vector<std::byte> block(Encoder::kBlock * node_bytes);
  const std::size_t rows = node_of.size();
  writer.begin(segment, SectionKind::graph_nodes, ElementType::byte);
  for (std::size_t begin = 0; begin < rows; begin += Encoder::kBlock) {
    const std::size_t end = std::min(rows, begin + Encoder::kBlock);
    std::fill(block.begin(), block.end(), std::byte{0});
    for (std::size_t row = begin; row < end; ++row) {
      std::byte* to = block.data() + (row - begin) * node_bytes;
      NodeTail tail{.next_copy = copies.next[row]};
      if (node_of[row] != kNoRow) {
        const std::byte* point = linker.point(node_of[row]);
        Int8Point head;
        std::memcpy(&head, point, sizeof head);
        const std::span<const std::uint32_t> links = linker.links(node_of[row], 0);
        std::memcpy(to, point + sizeof head, codes);
        tail.scale = head.scale;
        tail.half_norm = head.half_norm;
        tail.link_count = static_cast<std::uint32_t>(links.size());
        auto* rows_linked = reinterpret_cast<std::uint32_t*>(to + codes + sizeof tail);
        for (std::size_t i = 0; i < links.size(); ++i) rows_linked[i] = linker.row(links[i]);
      }
      std::memcpy(to + codes, &tail, sizeof tail);
    }
    writer.write(std::span(block).first((end - begin) * node_bytes));
  }
  writer.end();
}

/// Records of the upper levels, rows ascending on each: levels, entry, the records of each level, and then these.
void write_upper(const GraphLinker& linker, std::span<const std::uint32_t> node_of, std::size_t max_links,
                 std::uint32_t segment, SectionWriter& writer) {
  const std::size_t levels = linker.level(linker.entry());
  std::vector<std::uint32_t> out = {static_cast<std::uint32_t>(levels), linker.row(linker.entry())}, records;
  std::vector<std::uint32_t> number(linker.size()), below;  // of a node's record on the level
  for (std::size_t level = 1; level <= levels; ++level) {
    below = number;
    std::vector<std::uint32_t> nodes;
    for (const std::uint32_t node : node_of) {
      if (node == kNoRow || linker.level(node) < level) continue;
      number[node] = static_cast<std::uint32_t>(nodes.size());
      nodes.push_back(node);
    }
    out.push_back(static_cast<std::uint32_t>(nodes.size()));
    for (const std::uint32_t node : nodes) {
      const std::span<const std::uint32_t> links = linker.links(node, level);
      records.insert(records.end(),
                     {linker.row(node), level > 1 ? below[node] : 0, static_cast<std::uint32_t>(links.size())});
      for (const std::uint32_t link : links) records.push_back(number[link]);
      records.resize(records.size() + max_links - links.size());
    }
    if (level == levels) out[1] = number[linker.entry()];
  }
  out.insert(out.end(), records.begin(), records.end());
  writer.section<std::uint32_t>(segment, SectionKind::graph_upper, ElementType::uint32, out);
}

}  // namespace

std::unique_ptr<StructureBuilder> HnswBuilder::create(IndexMeta& meta, const StructureOptions& options) {
  if (options.links < 2 || options.links > kMaxLinks)
    throw UsageError(fmt::format("a graph of {} links a node; 2 to {} are possible", options.links, kMaxLinks));
  if (meta.dim > kMaxCodes)
    throw UsageError(fmt::format("hnsw takes up to {} dimensions, these vectors have {}", kMaxCodes, meta.dim));
  const std::size_t ef_construction = options.ef_construction != 0 ? options.ef_construction : kDefaultEfConstruction;
  meta.parameters = {
      {"links", options.links}, {"ef_construction", ef_construction}, {"ef", kDefaultEf}, {"seed", options.seed}};
  return std::unique_ptr<StructureBuilder>(new HnswBuilder(meta.metric, options.links, ef_construction, options.seed));
}

std::unique_ptr<StructureBuilder> HnswBuilder::open(const Container& container, const IndexMeta& meta) {
  const std::string& name = container.name();
  std::unique_ptr<HnswBuilder> out(new HnswBuilder(meta.metric, meta.parameter("links", name),
                                                   meta.parameter("ef_construction", name),
                                                   meta.parameter("seed", name)));
  const std::span<const float> mean = read_mean(container, meta.dim);
  out->mean_.assign(mean.begin(), mean.end());
  return out;
}

void HnswBuilder::train(MatrixView<const float> vectors, SectionWriter& writer) {
  mean_ = mean_of(vectors);
  writer.section<float>(0, SectionKind::centroids, ElementType::float32, mean_);
}

void HnswBuilder::write_segment(std::uint32_t segment, MatrixView<const float> vectors, SectionWriter& writer) {
  if (vectors.rows < kMinGraphRows) return FlatBuilder(metric_).write_segment(segment, vectors, writer);
  const std::size_t codes = padded_codes(vectors.cols);
  const Encoder encoder(vectors, mean_, metric_);
  WorkspacePool<Room> rooms([&] { return std::make_unique<Room>(vectors.cols, point_bytes(codes)); });
  const Copies copies = find_copies(encoder, vectors.rows, rooms);

  GraphLinker linker(copies.distinct, point_bytes(codes), int8_distance(), &codes,
                     {.links = links_, .ef_construction = ef_construction_, .seed = seed_});
  parallel_blocks(vectors.rows, 64, [&](std::size_t begin, std::size_t end) {
    rooms.with([&](Room& room) {
      for (std::size_t row = begin; row < end; ++row) {
        if (!copies.first[row]) continue;
        encoder.encode(row, room.vector, room.point);
        linker.add(room.point.data(), static_cast<std::uint32_t>(row));
      }
    });
  });

  std::vector<std::uint32_t> node_of(vectors.rows, kNoRow);
  for (std::size_t node = 0; node < linker.size(); ++node)
    node_of[linker.row(static_cast<std::uint32_t>(node))] = static_cast<std::uint32_t>(node);
  write_nodes(linker, copies, node_of, codes, Graph::node_bytes(vectors.cols, links_), segment, writer);
  write_upper(linker, node_of, links_, segment, writer);
}

std::uint64_t HnswBuilder::memory(std::uint64_t rows, std::size_t padded_dim) const {
  if (rows < kMinGraphRows) return 0;
  const std::uint64_t hashes = rows * (sizeof(std::uint64_t) * 2 + sizeof(std::uint32_t) * 2 + 1);
  return hashes + GraphLinker::memory(rows, point_bytes(padded_codes(padded_dim)), links_) + (16 << 20);
}

}  // namespace cbir
