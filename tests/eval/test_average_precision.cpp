#include <tests/catch.hpp>

#include "lib/eval/average_precision.hpp"

namespace {

using Ranks = std::vector<std::uint64_t>;

}  // namespace

TEST_CASE("A perfect ranking has average precision 1, counted either way") {
  CHECK(cbir::standard_precision(Ranks{1, 2, 3}, 3) == 1);
  CHECK(cbir::trapezoid_precision(Ranks{1, 2, 3}, 3) == 1);
}

TEST_CASE("Trapezoids take the mean of the precisions at a rank and at the one before") {
  // Relevant at ranks 2 and 3 of a list that knows two: precisions 0/1, 1/2 and 1/2, 2/3.
  CHECK(cbir::trapezoid_precision(Ranks{2, 3}, 2) == Approx((.25 + 7. / 12) / 2));
  CHECK(cbir::standard_precision(Ranks{2, 3}, 2) == Approx((1. / 2 + 2. / 3) / 2));
}

TEST_CASE("What was not found counts as found at precision 0") {
  CHECK(cbir::trapezoid_precision(Ranks{1}, 4) == .25);
  CHECK(cbir::standard_precision(Ranks{}, 4) == 0);
  CHECK(cbir::trapezoid_precision(Ranks{}, 4) == 0);
}
