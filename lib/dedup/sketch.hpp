#pragma once
/// Sketches: a few numbers a row, whose scores bound those of the rows from above.
///
/// Notation. B holds k directions as rows, B B^T = I + E, e = |E| (Frobenius). A row x has p, which is B x up to
/// rounding: |p - B x| <= f |x|, |p| <= c |x| with c = 1 + e + f; and the rest r = x - B^T p. For rows x and y with p,
/// r and q, s
///     <x, y> = <p, q> + <p, E q> + <p, B s> + <q, B r> + <r, s>,   B s = (B y - q) - E q,
/// so with Cauchy and Schwarz
///     <x, y> <= <p, q> + |r| |s| + d |x| |y|,   d = 3 e c^2 + 2 f c.                                      (1)
/// The length of the rest need not be measured:
///     |r|^2 = |x|^2 - 2 <p, B x> + <p, p> + <p, E p> <= |x|^2 - |p|^2 + h |x|^2,   h = 2 f c + e c^2.      (2)
/// With the root of the right side as one more number, u = (p, sqrt(...)), (1) reads <x, y> <= <u, v> + d |x| |y|, and
/// as |u|^2 = (1 + h) |x|^2, also -|x - y|^2 <= -|u - v|^2 + (2 d |x| |y| + h |x|^2 + h |y|^2): sketches are compared
/// by the metric of the rows.
///
/// The sketch is u turned by a fixed rotation (signs, then Walsh and Hadamard's transform) in binary64, so that no
/// number is much larger than the others, which codes of 8 bits would spend their range on. Rounding it to float32
/// changes a score by less than 2^-20 M^2, where M is the greatest length of a row.
///
/// f follows from the kernels: each number of p is off by g |b| |x| at most, g as in lib/index/flat_search.hpp, so that
/// f = sqrt(k) g (1 + e). The score of two rows by the kernels adds g M^2, under l2 4 g M^2 (there, (2)). Sums in
/// binary64 are off by less than 2^-36 of themselves. What underflows adds less than 2^-90 (1 + M).

#include <cstddef>
#include <span>

#include <cbir/base/matrix.hpp>
#include <cbir/index/index.hpp>

#include "lib/index/aligned.hpp"

namespace cbir {

class Sketcher {
 public:
  /// Finds directions that much of the length of these rows lies in, for sketches of `size` numbers: a power of 2, from
  /// 16. The rows are padded; it takes time in proportion to them.
  Sketcher(MatrixView<const float> rows, std::size_t size);

  std::size_t size() const noexcept { return size_; }

  /// One row of size() numbers for each of `rows`.
  void sketch(MatrixView<const float> rows, MatrixView<float> out) const;

  /// By how much the score of two rows, neither longer than `length`, may exceed that of their sketches.
  double excess(Metric metric, double length) const;

 private:
  void find_directions(MatrixView<const float> rows);
  void measure();
  void turn(std::span<double> numbers) const;

  std::size_t size_, dim_;
  AlignedFloats directions_;  // size - 1, as rows; those that could not be found are zeros
  std::size_t found_ = 0;
  double e_ = 0, f_ = 0, g_ = 0;  // see above
};

}  // namespace cbir
