#pragma once
/// The first look at the centroids of an inverted file, by 8-bit codes: a quarter of the bytes, which is what comparing
/// a query with all of them costs. It leaves out only lists that provably are not among the nearest, so that which
/// lists are searched is what exact scores say, to the last tie.
///
/// With the mean m of all centroids, q' = q - m and c' = c - m, lists are ordered by
///   inner products   <q', c'> + <m, c'>
///   l2               <q', c'> - |c'|^2 / 2      (half of the score, but for what all lists share)
/// Codes give <q', c'> up to |q' - its code| |code of c'| + |q'| |c' - its code|, to which is added what the float32
/// arithmetic of the exact score and of this one may be off.

#include <cstdint>
#include <span>
#include <vector>

#include "lib/index/ivf.hpp"
#include "lib/index/reservoir.hpp"

namespace cbir {

/// Leaves in `best` the `keep` highest of the scores, and its threshold() at the last of them.
void select_best(std::span<const float> scores, std::size_t keep, Reservoir& best);

class IvfCoarse {
 public:
  explicit IvfCoarse(const IvfModel& model);

  /// What a thread keeps from query to query.
  struct Scratch {
    std::vector<float> query, estimates;
    std::vector<std::int8_t> codes;
    std::vector<std::int32_t> products;
    Reservoir nearest;
  };

  /// Lists, ascending, among which the `probe` nearest by exact score are; valid until the next call with `scratch`.
  void select(std::span<const float> query, std::size_t probe, Scratch& scratch,
              std::vector<std::uint32_t>& lists) const;

 private:
  /// Of an estimate, at most: for a query of this length, which moved by the mean has another, and a residual as code.
  double error_of(double length, double length_moved, double residual) const;

  const IvfModel& model_;
  std::vector<std::int8_t> codes_;
  std::vector<std::uint32_t> all_;          ///< 0, 1, 2...
  std::vector<float> scales_, terms_;       ///< of each list
  double longest_ = 0, longest_moved_ = 0;  ///< upper bounds: of |c|, of |c'| and its code
  double largest_residual_ = 0;             ///< of |c' - its code|
  double largest_term_ = 0;
  bool usable_ = true;  ///< centroids are finite, and not so long that a bound overflows
};

}  // namespace cbir
