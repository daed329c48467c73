#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>

#include <cbir/base/error.hpp>
#include <cbir/base/parallel.hpp>
#include <cbir/base/text.hpp>
#include <cbir/index/scan.hpp>

#include "lib/index/lsh.hpp"
#include "lib/index/lsh_kernels.hpp"
#include "lib/index/means.hpp"
#include "lib/index/plain_scan.hpp"

namespace cbir {
namespace {

constexpr std::size_t kDefaultCandidates = 1000;
constexpr std::size_t kBlock = 256;  // rows that are encoded at a time

/// SplitMix64 (Steele, Lea and Flood 2014) and Box and Muller's way to normal numbers: the same everywhere but for the
/// last bits of log and cos.
class NormalNumbers {
 public:
  explicit NormalNumbers(std::uint64_t seed) : state_(seed) {}

  float next() {
    const double radius = std::sqrt(-2 * std::log(uniform())), angle = 2 * std::numbers::pi * uniform();
    return static_cast<float>(radius * std::cos(angle));
  }

 private:
  std::uint64_t bits() {
    std::uint64_t z = state_ += 0x9E3779B97F4A7C15U;
    z = (z ^ (z >> 30U)) * 0xBF58476D1CE4E5B9U;
    z = (z ^ (z >> 27U)) * 0x94D049BB133111EBU;
    return z ^ (z >> 31U);
  }
  /// Above 0, up to 1.
  double uniform() { return static_cast<double>((bits() >> 11U) + 1) * 0x1p-53; }

  std::uint64_t state_;
};

double square(std::span<const float> vector) {
  double sum = 0;
  for (const float x : vector) sum += static_cast<double>(x) * static_cast<double>(x);
  return sum;
}

/// A length that one row of a hundred exceeds.
float long_length(MatrixView<const float> rows) {
  std::vector<float> lengths(rows.rows);
  parallel_blocks(rows.rows, kBlock, [&](std::size_t begin, std::size_t end) {
    for (std::size_t r = begin; r < end; ++r) lengths[r] = static_cast<float>(std::sqrt(square(rows.row(r))));
  });
  const auto place = lengths.begin() + static_cast<std::ptrdiff_t>(rows.rows - 1 - rows.rows / 100);
  std::nth_element(lengths.begin(), place, lengths.end());
  return *place;
}

/// Random directions in `elements` dimensions, each at right angles to the others of its `elements` successive ones:
/// they tell angles apart better than independent ones do (Ji et al. 2012).
std::vector<double> directions(std::size_t count, std::size_t elements, std::uint64_t seed) {
  NormalNumbers normal(seed);
  std::vector<double> out(count * elements);
  for (double& x : out) x = static_cast<double>(normal.next());
  for (std::size_t i = 0; i < count; ++i) {
    double* direction = out.data() + i * elements;
    const auto product = [&](const double* other) {
      return std::inner_product(direction, direction + elements, other, 0.0);
    };
    for (std::size_t j = i / elements * elements; j < i; ++j) {
      const double* other = out.data() + j * elements;
      const double part = product(other);
      for (std::size_t e = 0; e < elements; ++e) direction[e] -= part * other[e];
    }
    const double length = std::sqrt(product(direction));
    for (std::size_t e = 0; e < elements; ++e) direction[e] /= length;
  }
  return out;
}

}  // namespace

Hyperplanes::Hyperplanes(std::span<const float> numbers, std::size_t bits, std::size_t dim, Metric metric,
                         const std::string& name)
    : lift_(metric == Metric::dot) {
  const std::size_t stride = padded_dim(dim);
  if (bits == 0 || bits % 64 != 0 || bits > kMaxBits)
    throw DamagedFile(fmt::format("{}: damaged index: codes of {} bits; build it again", display_path(name), bits));
  if (numbers.size() != bits * (stride + 2) + 1)
    throw DamagedFile(fmt::format("{}: damaged index: there are not as many hyperplanes as bits; build it again",
                                  display_path(name)));
  normals_ = {numbers.data(), bits, stride};
  offsets_ = numbers.subspan(bits * stride, bits);
  weights_ = numbers.subspan(bits * (stride + 1), bits);
  radius_ = numbers.back();
}

std::vector<float> Hyperplanes::draw(MatrixView<const float> rows, std::size_t dim, std::size_t bits, Metric metric,
                                     std::uint64_t seed) {
  const std::size_t elements = dim + (metric == Metric::dot ? 1 : 0);  // the last one is of a row's further element
  const std::vector<double> drawn = directions(bits, elements, seed);
  std::vector<float> numbers(bits * (rows.cols + 2) + 1);
  const auto normals = std::span(numbers).first(bits * rows.cols);
  const auto offsets = std::span(numbers).subspan(normals.size(), bits);
  const auto weights = std::span(numbers).subspan(normals.size() + bits, bits);
  for (std::size_t b = 0; b < bits; ++b) {
    for (std::size_t i = 0; i < dim; ++i) normals[b * rows.cols + i] = static_cast<float>(drawn[b * elements + i]);
    if (elements > dim) weights[b] = static_cast<float>(drawn[b * elements + dim]);
  }
  if (metric == Metric::dot) {
    numbers.back() = long_length(rows);
  } else {
    const std::vector<float> mean = mean_of(rows);
    inner_products({mean.data(), 1, rows.cols}, {normals.data(), bits, rows.cols}, {offsets.data(), 1, bits});
  }
  return numbers;
}

void Hyperplanes::encode(MatrixView<const float> vectors, bool lifted, std::span<std::uint8_t> codes) const {
  const std::size_t bits = normals_.rows;
  parallel_blocks(vectors.rows, kBlock, [&](std::size_t begin, std::size_t end) {
    std::vector<float> sides((end - begin) * bits);
    inner_products(slice(vectors, begin, end), normals_, {sides.data(), end - begin, bits});
    for (std::size_t row = begin; row < end; ++row) {
      const float* side = sides.data() + (row - begin) * bits;
      float lift = 0;
      if (lift_ && lifted) {
        const double rest = static_cast<double>(radius_) * static_cast<double>(radius_) - square(vectors.row(row));
        lift = static_cast<float>(std::sqrt(std::max(0.0, rest)));
      }
      for (std::size_t byte = 0; byte < bits / 8; ++byte) {
        unsigned value = 0;
        for (std::size_t i = 0; i < 8; ++i) {
          const std::size_t b = byte * 8 + i;
          value |= static_cast<unsigned>(side[b] - offsets_[b] + lift * weights_[b] > 0) << i;
        }
        codes[row * bits / 8 + byte] = static_cast<std::uint8_t>(value);
      }
    }
  });
}

LshBuilder::LshBuilder(std::string name, const IndexMeta& meta, std::size_t bits, std::uint64_t seed)
    : name_(std::move(name)), metric_(meta.metric), dim_(meta.dim), bits_(bits), seed_(seed) {}

std::unique_ptr<StructureBuilder> LshBuilder::create(IndexMeta& meta, const StructureOptions& options) {
  if (options.bits == 0 || options.bits % 64 != 0 || options.bits > kMaxBits)
    throw UsageError(
        fmt::format("codes of {} bits; a multiple of 64 from 64 to {} is possible", options.bits, kMaxBits));
  meta.parameters = {{"bits", options.bits}, {"candidates", kDefaultCandidates}, {"seed", options.seed}};
  return std::unique_ptr<StructureBuilder>(new LshBuilder("hyperplanes", meta, options.bits, options.seed));
}

std::unique_ptr<StructureBuilder> LshBuilder::open(const Container& container, const IndexMeta& meta) {
  const std::string& name = container.name();
  std::unique_ptr<LshBuilder> out(
      new LshBuilder(name, meta, meta.parameter("bits", name), meta.parameter("seed", name)));
  const Bytes content = container.content(0, SectionKind::hyperplanes, ElementType::float32);
  const auto* numbers = reinterpret_cast<const float*>(content.data());
  out->numbers_.assign(numbers, numbers + content.size() / sizeof(float));
  return out;
}

void LshBuilder::train(MatrixView<const float> vectors, SectionWriter& writer) {
  numbers_ = Hyperplanes::draw(vectors, dim_, bits_, metric_, seed_);
  writer.section<float>(0, SectionKind::hyperplanes, ElementType::float32, numbers_);
}

void LshBuilder::write_segment(std::uint32_t segment, MatrixView<const float> vectors, SectionWriter& writer) {
  constexpr std::size_t kRows = 64 * kBlock;  // between two writes
  const Hyperplanes planes(numbers_, bits_, dim_, metric_, name_);
  const std::size_t code_bytes = planes.code_bytes();
  std::vector<std::uint8_t> codes(kRows * code_bytes), groups(kRows * code_bytes);
  writer.begin(segment, SectionKind::hyperplane_codes, ElementType::byte);
  for (std::size_t begin = 0; begin < vectors.rows; begin += kRows) {
    const std::size_t count = std::min(kRows, vectors.rows - begin);
    planes.encode_rows(slice(vectors, begin, begin + count), codes);
    const std::size_t padded = (count + kHammingGroup - 1) / kHammingGroup * kHammingGroup;
    std::fill(groups.begin(), groups.end(), std::uint8_t{0});
    for (std::size_t i = 0; i < count; ++i)
      for (std::size_t byte = 0; byte < code_bytes; ++byte)
        groups[(i / kHammingGroup * code_bytes + byte) * kHammingGroup + i % kHammingGroup] =
            codes[i * code_bytes + byte];
    writer.write(std::as_bytes(std::span(groups).first(padded * code_bytes)));
  }
  writer.end();
}

std::uint64_t LshBuilder::memory(std::uint64_t rows, std::size_t padded_dim) const {
  const std::uint64_t lengths = metric_ == Metric::dot ? rows * sizeof(float) : 0;
  return lengths + 2 * bits_ * (padded_dim + 2) * sizeof(float) + 64 * kBlock * bits_ / 4 + (16 << 20);
}

}  // namespace cbir
