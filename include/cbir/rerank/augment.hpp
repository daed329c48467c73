#pragma once
/// Database-side augmentation: every row becomes a weighted mean of itself and its nearest rows, again and again
/// (Turcot and Lowe 2009; Arandjelovic and Zisserman, Three things everyone should know to improve object retrieval,
/// CVPR 2012; weights by a power of the similarity after Radenovic, Tolias and Chum, TPAMI 2018). Iterated over one
/// graph it is diffusion of the vectors themselves, truncated.
///
/// 1. The mean of all rows is subtracted, what is left of each is brought to length 1.
/// 2. Row j is a neighbour of row i if it is among the K nearest and if its similarity s_ij, measured by how near both
///    have any neighbour at all (the local scaling of Zelnik-Manor and Perona, NIPS 2004), is enough:
///        r_ij = s_ij / sqrt(s_i1 s_j1), g_ij = max(0, 2 r_ij - 1)^2 at most 1, w_ij = g_ij s_ij^alpha.
///    A row in a dense place has many neighbours so, and one with a single near-duplicate has that alone: K is but a
///    bound.
/// 3. y_i <- y_i + sum_j w_ij y_j, brought to length 1, for all rows at once; repeated 2 log2(m) times, m being the
/// mean
///    over rows of sum_j g_ij: how many neighbours count.
/// 4. The direction of the mean is taken out of the rows. The inner product of such a row with a vector is that with
///    the vector less the mean: queries are searched for as they come from the encoder.

#include <cstdint>
#include <string>

#include <cbir/rerank/neighbours.hpp>
#include <cbir/rerank/vectors.hpp>

namespace cbir {

struct AugmentOptions {
  std::size_t neighbours = 100;  ///< K: at most, of a row
  std::size_t iterations = 0;    ///< 0: as said above, if neighbours can be relied on; else as many, whatever they are
  double alpha = 3;              ///< power of the similarity; at least 0
};

/// Why rows were left as they are.
enum class LeftAlone {
  no,
  few_rows,    ///< fewer than three
  no_spread,   ///< a row lies at the mean of all, and has no direction from there
  unreliable,  ///< see AugmentReport::agreement
};

struct AugmentReport {
  LeftAlone left_alone = LeftAlone::no;
  std::size_t neighbours = 0;  ///< K
  std::size_t iterations = 0;
  double mean_neighbours = 0;  ///< rows that a row counts as neighbours: sum of g_ij, the mean over i
  /// Similarity of the ten rows that are nearest by one half of the dimensions, by the other half, divided by that by
  /// the first one; about 0 for noise, 1 if either half tells the same. Measured on some rows.
  double agreement = 0;
};

/// Augments the rows in place. Memory: a graph of 8 bytes a neighbour, and 256 bytes a row. Throws UsageError for
/// options that mean nothing.
AugmentReport augment(Vectors& vectors, const AugmentOptions& options, const RowProgress& progress = {});

/// Augments a set or an index into a new set of the same rows. Its manifest says how it was made, and has the
/// fingerprint of the encoder. Throws as Vectors::load, Incompatible if the rows are augmented already, OutputError.
AugmentReport augment_set(const std::string& name, const std::string& output, bool force, const AugmentOptions& options,
                          const RowProgress& progress = {});

}  // namespace cbir
