#include "lib/index/means.hpp"

#include <fmt/format.h>

#include <algorithm>

#include <cbir/base/error.hpp>
#include <cbir/base/parallel.hpp>
#include <cbir/base/text.hpp>
#include <cbir/index/scan.hpp>

namespace cbir {

std::vector<float> mean_of(MatrixView<const float> rows) {
  constexpr std::size_t kBlocks = 64;  // sums of blocks are added in order
  const std::size_t grain = std::max<std::size_t>(1, (rows.rows + kBlocks - 1) / kBlocks);
  std::vector<double> sums(kBlocks * rows.cols);
  parallel_blocks(rows.rows, grain, [&](std::size_t begin, std::size_t end) {
    double* sum = sums.data() + begin / grain * rows.cols;
    for (std::size_t r = begin; r < end; ++r) {
      const float* row = rows.row(r).data();
      for (std::size_t i = 0; i < rows.cols; ++i) sum[i] += static_cast<double>(row[i]);
    }
  });
  std::vector<float> mean(rows.cols);
  for (std::size_t i = 0; i < rows.cols; ++i) {
    double sum = 0;
    for (std::size_t block = 0; block < kBlocks; ++block) sum += sums[block * rows.cols + i];
    mean[i] = static_cast<float>(sum / static_cast<double>(rows.rows));
  }
  return mean;
}

std::span<const float> read_mean(const Container& container, std::size_t dim) {
  const Bytes content = container.content(0, SectionKind::centroids, ElementType::float32);
  if (content.size() != padded_dim(dim) * sizeof(float))
    throw DamagedFile(fmt::format("{}: damaged index: the mean is not of the vectors' dimension; build it again",
                                  display_path(container.name())));
  return {reinterpret_cast<const float*>(content.data()), padded_dim(dim)};
}

}  // namespace cbir
