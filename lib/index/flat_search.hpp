#pragma once
/// The search of a segment with int8 codes, exact by proof.
///
/// Notation. A row x = a c + r with codes c, scale a, |r| <= rho, |a c| <= n. A query q = b e + s with codes e, |s| <=
/// sigma. I = <e, c> is computed exactly, in integers. By Cauchy and Schwarz
///     <q, x> = a b I + <s, a c> + <q, r>  <=  a b I + sigma n + |q| rho,   and |x| <= n + rho.            (1)
///
/// The score K of the exact kernels is not <q, x> but its sum in float32. With u = 2^-24 and m = dim / 16, a product
/// goes through at most m + 5 roundings: one of its own where there is no fused multiply-add, m in its partial sum, 4
/// in the tree. So |K - <q, x>| <= g |q| |x| with g = (m + 8) u / (1 - (m + 8) u). Under l2 a difference's rounding
/// counts twice and makes m + 7; all terms are positive, so the summed distance is at least (1 - g) |q - x|^2, and as
/// |q - x|^2 <= 2 |q|^2 + 2 |x|^2,
///     K <= 2 <q, x> - (1 - 2 g) (|q|^2 + |x|^2).                                                          (2)
///
/// The kernel of flat_kernels.hpp evaluates the right sides in float32 with at most 5 roundings a term; as
/// |a b I| <= |b e| n <= 2 |q| n, that is off by less than 14 u |q| (n + rho), twice that under l2, and 4 u |x|^2.
/// G = (m + 32) u, in the place of g, covers all of it up to m = 4096 (kMaxCodeDim / 16). So with
///     slope = b,  width = |q| (1 + G),  doubt = sigma / |q| + G        (slope and width twice that under l2)
/// and, under l2, square_weight = -(1 - 2 G), the computed bound is at least K, or K + (1 - 2 G) |q|^2 under l2, but
/// for underflow. Underflow (flushed to zero or not) adds at most 2^-100 (1 + |q|), which the threshold is lowered by.
///
/// A row whose bound is below the k-th best score so far is thus worse than k others whatever comes: it is left out.
/// All others, equal ones too, are scored by the exact kernels, and offered.

#include <vector>

#include "lib/index/flat_kernels.hpp"
#include "lib/index/row_mask.hpp"
#include "lib/index/segment.hpp"
#include "lib/index/topk.hpp"

namespace cbir {

/// Queries as find_passing takes them.
class BoundedQueries {
 public:
  BoundedQueries(MatrixView<const float> queries, Metric metric);

  /// From now on every row passes for this query whose exact score may be `score` or more.
  void set_threshold(std::size_t query, double score);
  const CodeQueries& coded() const noexcept { return coded_; }

 private:
  CodeQueries coded_;
  std::vector<double> raise_, slack_;  // what makes a threshold of the kernel out of one of the scores
};

/// Offers to best[q] all rows of the mask that may be among its k best, as Structure::search does. A few rows spread
/// over the segment are scored exactly for a first threshold, unless all queries have one from other segments; then
/// ever larger parts go through the first pass, each with the threshold of those before it. `bounded`: the queries.
void search_codes(const CodePanels& panels, const Segment& segment, Metric metric, MatrixView<const float> queries,
                  BoundedQueries& bounded, const RowMask& mask, std::span<TopK> best, SearchCounts& counts);

/// Whether every query has as many hits as it wants, and so a threshold.
bool all_full(std::span<const TopK> best);

/// As search_codes, for rows of the mask, each scored exactly one by one.
void search_passing(const Segment& segment, Metric metric, MatrixView<const float> queries, const RowMask& mask,
                    std::span<TopK> best, SearchCounts& counts);

}  // namespace cbir
