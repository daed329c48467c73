#pragma once
/// Product quantisation with 4 bits a part: codebooks of 16 centroids for each few dimensions, codes in blocks of 32
/// rows, and tables of a query in bytes. The layout of blocks is in pq4_kernels.hpp.

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include <cbir/base/matrix.hpp>

#include "lib/index/pq4_kernels.hpp"

namespace cbir {

/// How a vector is divided. All is a function of two numbers, the second of which is stored in the file.
struct Pq4Shape {
  std::size_t dims = 0;            ///< of a part
  std::size_t sub_quantizers = 0;  ///< as many parts as hold the padded vector

  std::size_t lines() const { return pq4::lines(sub_quantizers); }
  std::size_t block_bytes() const { return pq4::block_bytes(sub_quantizers); }
  std::size_t table_bytes() const { return lines() * pq4::kLine; }
  std::size_t codebook_floats() const { return sub_quantizers * dims * pq4::kCentroids; }
};

/// `dims` divides padded_dim; 0: one that suits the dimension.
Pq4Shape pq4_shape(std::size_t padded_dim, std::size_t dims = 0);

/// Codebooks (sub-quantiser, dimension, centroid) by k-means over each part of the vectors, which are of padded length.
/// The same with any number of threads.
std::vector<float> train_pq4(const Pq4Shape& shape, MatrixView<const float> vectors, std::size_t rounds,
                             std::uint64_t seed);

/// Finds codes; for one set of codebooks, which it refers to.
class Pq4Encoder {
 public:
  Pq4Encoder(const Pq4Shape& shape, std::span<const float> codebooks);

  /// codes[s] = the centroid nearest to part s. `tables` is room for sub_quantizers * 16 floats.
  void encode(const float* vector, float* tables, std::uint8_t* codes) const;

 private:
  Pq4Shape shape_;
  std::span<const float> codebooks_;
  std::vector<float> half_norms_;  ///< of all centroids: halves of their squared lengths
};

/// Puts the codes and the factor (below 2^15) of a block's row where the kernels expect them; the block is zeroed.
void pack_row(const Pq4Shape& shape, std::span<const std::uint8_t> codes, std::uint16_t factor, std::size_t row,
              std::uint8_t* block);

/// A query's tables in bytes: scores in units of 1 / scale.
struct Pq4Tables {
  std::uint8_t* bytes = nullptr;  ///< shape.table_bytes(), at a multiple of 64
  double scale = 0;
  std::uint16_t factor_scale = 0;

  /// A list's bias, as far below the largest one as it is.
  std::int32_t bias(double below) const;
};

/// Room for making tables; one a thread.
struct Pq4Scratch {
  std::vector<float> tables, smallest, largest;
};

/// Makes the tables of inner products with the query. Rows' factors stand for numbers in a range of the length
/// `factor_range`; biases differ by up to `bias_range`. Sums of entries stay below 2^16, bias included below 2^30.
void make_tables(const Pq4Shape& shape, std::span<const float> codebooks, const float* query, double factor_range,
                 double bias_range, Pq4Scratch& scratch, Pq4Tables& out);

}  // namespace cbir
