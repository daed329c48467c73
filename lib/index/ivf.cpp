#include "lib/index/ivf.hpp"
#include "lib/index/ivf_coarse.hpp"

#include <fmt/format.h>

#include <algorithm>

#include <cbir/base/error.hpp>
#include <cbir/base/text.hpp>
#include <cbir/index/scan.hpp>

namespace cbir {
namespace {

[[noreturn]] void refuse(const std::string& name, std::string_view what) {
  throw DamagedFile(fmt::format("{}: damaged index: {}; build it again", display_path(name), what));
}

template <typename T>
std::span<const T> elements(const Container& container, std::uint32_t segment, SectionKind kind, ElementType type) {
  const Bytes content = container.content(segment, kind, type);
  return {reinterpret_cast<const T*>(content.data()), content.size() / sizeof(T)};
}

}  // namespace

IvfModel read_ivf_model(const Container& container, const IndexMeta& meta) {
  const std::string& name = container.name();
  const std::size_t dim = padded_dim(meta.dim);
  const auto floats = [&](SectionKind kind) { return elements<float>(container, 0, kind, ElementType::float32); };
  const std::uint64_t lists = meta.parameter("lists", name), code_dims = meta.parameter("code_dims", name);
  const std::span<const float> centroids = floats(SectionKind::centroids);
  if (lists == 0 || centroids.size() % dim != 0 || centroids.size() / dim != lists)
    refuse(name, "there are not as many centroids as lists");
  if (code_dims == 0 || code_dims > kVectorPadding || kVectorPadding % code_dims != 0)
    refuse(name, fmt::format("codes of {} dimensions", code_dims));
  IvfModel out;
  out.metric = meta.metric;
  out.shape = pq4_shape(dim, code_dims);
  out.centroids = {centroids.data(), lists, dim};
  out.codebooks = floats(SectionKind::codebooks);
  if (out.codebooks.size() != out.shape.codebook_floats()) refuse(name, "its codebooks have another size");
  const std::span<const float> factors = floats(SectionKind::list_factors);
  if (factors.size() != dim + 2) refuse(name, "the mean of its centroids has another size");
  out.mean = factors.first(dim);
  out.factor_least = factors[dim];
  out.factor_range = factors[dim + 1];
  return out;
}

IvfStructure::IvfStructure(const Container& container, const IndexMeta& meta, const Segment& segment)
    : name_(container.name()),
      model_(read_ivf_model(container, meta)),
      segment_(segment),
      probe_(meta.parameter("probe", name_)),
      candidates_(meta.parameter("candidates", name_)),
      list_offsets_(elements<std::uint32_t>(container, segment.number, SectionKind::list_offsets, ElementType::uint32)),
      list_rows_(elements<std::uint32_t>(container, segment.number, SectionKind::list_rows, ElementType::uint32)) {
  const std::size_t rows = segment.size();
  if (list_offsets_.size() != model_.lists() + 1 || list_offsets_.front() != 0 || list_offsets_.back() != rows ||
      !std::is_sorted(list_offsets_.begin(), list_offsets_.end()))
    refuse(name_, fmt::format("the lists of segment {} do not ascend through its rows", segment.number));
  std::uint32_t largest = 0;
  for (const std::uint32_t row : list_rows_) largest = std::max(largest, row);
  if (list_rows_.size() != rows || largest >= rows)
    refuse(name_, fmt::format("the lists of segment {} name rows that are not there", segment.number));
  const Bytes codes = container.content(segment.number, SectionKind::list_codes, ElementType::byte);
  if (codes.size() != (rows + pq4::kBlockRows - 1) / pq4::kBlockRows * model_.shape.block_bytes())
    refuse(name_, fmt::format("the codes of segment {} are not as many as its rows", segment.number));
  codes_ = reinterpret_cast<const std::uint8_t*>(codes.data());
}

IvfStructure::~IvfStructure() = default;

void IvfStructure::verify() const {
  std::vector<bool> seen(segment_.size());
  for (const std::uint32_t row : list_rows_) {
    if (seen[row]) refuse(name_, fmt::format("row {} is in a list twice", segment_.first_position + row));
    seen[row] = true;
  }
}

}  // namespace cbir
