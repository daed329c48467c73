#pragma once
/// The vectors of a set or an index in memory, of length 1, laid out for the kernels of scan.hpp.

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <cbir/base/matrix.hpp>
#include <cbir/index/index.hpp>

namespace cbir {

/// What is known of vectors besides their numbers.
struct VectorOrigin {
  std::string name = {};          ///< of the set or index
  std::string encoder = {};       ///< empty if not known
  std::string fingerprint = {};   ///< of the encoder; empty if not known
  std::string augmentation = {};  ///< as in Manifest
};

/// Rows of floats, padded with zeros to a multiple of kVectorPadding and aligned to cache lines.
class Vectors {
 public:
  Vectors(std::size_t rows, std::size_t dim);  ///< zeros

  /// Reads a set or an index (a file that ends in ".cbir"); rows are brought to length 1.
  /// Throws as EmbeddingSet::open and Index::open do, MissingInput (no rows), Incompatible (compared by another metric
  /// than cosine; a zero row), DamagedFile (NaN, infinity, naming the row).
  static Vectors load(const std::string& name);

  Vectors copy() const;

  std::size_t rows() const noexcept { return rows_; }
  std::size_t dim() const noexcept { return dim_; }
  std::span<float> row(std::size_t i) noexcept { return {data_.get() + i * stride_, dim_}; }
  std::span<const float> row(std::size_t i) const noexcept { return {data_.get() + i * stride_, dim_}; }
  /// Rows [first, first + count) as the kernels take them.
  MatrixView<const float> padded(std::size_t first, std::size_t count) const noexcept {
    return {data_.get() + first * stride_, count, stride_};
  }
  MatrixView<const float> padded() const noexcept { return padded(0, rows_); }

  VectorOrigin origin;

 private:
  struct Free {
    void operator()(float* memory) const;
  };
  std::size_t rows_, dim_, stride_;
  std::unique_ptr<float[], Free> data_;
};

/// What Vectors::load reads, so that it is not replaced.
std::vector<std::string> files_of_vectors(const std::string& name);

/// Throws Incompatible unless directions are what is compared; `what` is to be done ("--center").
void demand_cosine(const std::string& name, std::string_view metric, std::string_view what);

}  // namespace cbir
