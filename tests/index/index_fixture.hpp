#pragma once
/// Small sets, bare .npy files of known vectors, and indexes of them.

#include <cstring>
#include <random>
#include <span>
#include <string>
#include <vector>

#include <cbir/base/file.hpp>
#include <cbir/index/index.hpp>
#include <cbir/store/npy.hpp>
#include <tests/temporary.hpp>

namespace fixture {

inline std::vector<float> random_vectors(std::size_t rows, std::size_t dim, unsigned seed) {
  std::mt19937 generator(seed);
  std::vector<float> out(rows * dim);
  for (float& x : out) x = static_cast<float>(static_cast<int>(generator() % 2001) - 1000) / 1000.0F;
  return out;
}

inline void write_npy(const std::string& path, std::span<const float> values, std::size_t dim) {
  std::string text = cbir::npy_header(cbir::Dtype::float32, values.size() / dim, dim);
  text.append(reinterpret_cast<const char*>(values.data()), values.size_bytes());
  cbir::write_file(path, text, true);
}

/// Builds an index of the vectors and returns its path.
inline std::string build(const TemporaryFolder& folder, std::span<const float> values, std::size_t dim,
                         cbir::Metric metric, const std::string& name = "x") {
  write_npy(folder / (name + ".npy"), values, dim);
  cbir::build_index({folder / (name + ".npy")}, folder / (name + ".cbir"),
                         {.metric = metric, .metric_given = true, .force = true});
  return folder / (name + ".cbir");
}

}  // namespace fixture
