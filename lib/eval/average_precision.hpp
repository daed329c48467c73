#pragma once
/// Average precision of one query, from the ranks (from 1, ascending) of the relevant items that were found, junk taken
/// out. `relevant`: how many there are, at least 1.

#include <cstdint>
#include <span>

namespace cbir {

/// The precision at the rank of each relevant item, summed and divided by `relevant`.
double standard_precision(std::span<const std::uint64_t> ranks, std::uint64_t relevant);

/// The area below precision over recall, by trapezoids: the mean of the precisions at the rank and at the one before,
/// which at rank 1 is 1. So counts compute_ap of the Oxford Buildings (Philbin et al., 2007), and revisitop after it
/// (Radenović et al., 2018).
double trapezoid_precision(std::span<const std::uint64_t> ranks, std::uint64_t relevant);

}  // namespace cbir
