#pragma once
/// PCA whitening, learned without labels (Jegou and Chum, Negative evidences and co-occurences in image retrieval, ECCV
/// 2012), in a file. The layout is docs/formats.md.

#include <cstdint>
#include <string>

#include <cbir/rerank/transform.hpp>

namespace cbir {

struct WhiteningOptions {
  std::size_t dim = 0;   ///< of the result; 0: that of the vectors, or one less than rows if these are fewer
  double shrinkage = 4;  ///< in units of the largest eigenvalue; at least 0
};

struct Whitening {
  Transform transform;
  VectorOrigin origin;     ///< of the vectors that it was learned from
  std::uint64_t rows = 0;  ///< how many they were
  double kept = 1;         ///< share of the variance in the dimensions that are kept
};

/// From the covariance of the vectors: a dimension with eigenvalue l is divided by sqrt(l + shrinkage * the largest
/// one). With a shrinkage of 0 all dimensions weigh the same then, which tells instances apart that look alike, and
/// halves the precision where whole classes are what is looked for; a large one leaves them as they are. Throws
/// MissingInput for fewer than two different vectors, UsageError for more dimensions than there are and for a shrinkage
/// that means nothing.
Whitening learn_whitening(const Vectors& vectors, const WhiteningOptions& options);

/// Throws OutputError.
void write_whitening(const Whitening& whitening, const std::string& path, bool force);

/// Throws MissingInput, DamagedFile (checksum), Incompatible (a file of another kind or version).
Whitening read_whitening(const std::string& path);

/// Throws Incompatible if the vectors have other dimensions than those that it was learned from or, unless
/// `allow_mismatch`, are of another encoder, or augmented otherwise.
void check_whitening(const Whitening& whitening, const std::string& path, std::size_t dim, const VectorOrigin& vectors,
                     bool allow_mismatch);

}  // namespace cbir
