#include "lib/index/segment_writer.hpp"

#include <algorithm>
#include <vector>

#include <cbir/base/parallel.hpp>
#include <cbir/index/scan.hpp>

namespace cbir {
namespace {

constexpr std::size_t kBlockBytes = 4 << 20;  // of vectors held at a time
constexpr std::size_t kBlockRows = 8192;      // of descriptions

void write_vectors(SectionWriter& writer, std::uint32_t segment, const RowSource& rows) {
  const std::size_t stride = padded_dim(rows.dim());
  const std::size_t fitting = std::max<std::size_t>(1, kBlockBytes / (stride * sizeof(float)));
  const std::size_t block = std::min<std::uint64_t>(fitting, rows.size());
  std::vector<float> buffer(block * stride);  // what pads the rows stays zero
  writer.begin(segment, SectionKind::vectors, ElementType::float32);
  for (std::uint64_t first = 0; first < rows.size(); first += block) {
    const std::size_t count = std::min<std::uint64_t>(block, rows.size() - first);
    rows.vectors(first, count, buffer.data(), stride);
    writer.write(std::as_bytes(std::span(buffer).first(count * stride)));
  }
  writer.end();
}

void write_numbers(SectionWriter& writer, std::uint32_t segment, SectionKind kind,
                   std::span<const std::uint64_t> numbers) {
  writer.section(segment, kind, ElementType::uint64, numbers);
}

/// The rows' JSON lines, then where each begins and hashes of each path and label.
void write_descriptions(SectionWriter& writer, std::uint32_t segment, const RowSource& rows) {
  std::vector<std::uint64_t> offsets = {0}, paths, labels;
  std::vector<StoredRow> block;
  writer.begin(segment, SectionKind::rows, ElementType::byte);
  for (std::uint64_t first = 0; first < rows.size(); first += kBlockRows) {
    block.resize(std::min<std::uint64_t>(kBlockRows, rows.size() - first));
    parallel_blocks(block.size(), 256, [&](std::size_t begin, std::size_t end) {
      for (std::size_t i = begin; i < end; ++i) block[i] = rows.row(first + i);
    });
    for (StoredRow& row : block) {
      row.line += '\n';
      writer.write(as_bytes(row.line));
      offsets.push_back(offsets.back() + row.line.size());
      paths.push_back(row.path_hash);
      labels.push_back(row.label_hash);
    }
  }
  writer.end();
  write_numbers(writer, segment, SectionKind::row_offsets, offsets);
  write_numbers(writer, segment, SectionKind::path_hashes, paths);
  write_numbers(writer, segment, SectionKind::label_hashes, labels);
}

}  // namespace

void write_rows(SectionWriter& writer, std::uint32_t segment, const RowSource& rows,
                std::span<const std::uint64_t> ids) {
  write_vectors(writer, segment, rows);
  write_numbers(writer, segment, SectionKind::ids, ids);
  write_descriptions(writer, segment, rows);
}

MatrixView<const float> segment_vectors(const Container& written, std::uint32_t segment, std::size_t dim) {
  const Bytes content = written.content(segment, SectionKind::vectors, ElementType::float32);
  const std::size_t stride = padded_dim(dim);
  return {reinterpret_cast<const float*>(content.data()), content.size() / sizeof(float) / stride, stride};
}

void write_meta(SectionWriter& writer, const IndexMeta& meta) {
  writer.begin(0, SectionKind::meta, ElementType::byte);
  writer.write(as_bytes(to_json(meta)));
  writer.end();
}

}  // namespace cbir
