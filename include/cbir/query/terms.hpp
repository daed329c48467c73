#pragma once
/// Terms of one query that is made of several pictures and texts: "snow:0.5", "people:-1", "photo.jpg:2".

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <cbir/base/matrix.hpp>

namespace cbir {

struct Term {
  std::string value;  ///< the text, or the picture's path
  double weight = 1;
};

/// "VALUE:WEIGHT", or a value alone, whose weight is 1. The weight is a decimal number, with a sign or without, that
/// directly follows the last ':'; if what follows is something else, all is value ("note: this"). "\:" is a ':' that
/// belongs to the value, "\\" a backslash before one; other backslashes stand for themselves.
/// Throws UsageError if nothing stands before the weight, or if it is not a number that can be counted with.
Term parse_term(std::string_view argument);

/// The same for a picture's path; but a file whose name is the argument as it stands is that file, with weight 1.
Term parse_path_term(const std::string& argument);

/// The sum of the vectors, each brought to length 1 and multiplied by its weight; itself of length 1. Throws
/// DamagedFile for a vector that is zero or not finite, and UsageError if the weighted vectors cancel each other out:
/// if the sum is shorter than 1e-4 of the sum of the weights' magnitudes, which is about what rounding leaves.
std::vector<float> combine(MatrixView<const float> vectors, std::span<const double> weights);

}  // namespace cbir
