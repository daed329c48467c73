#pragma once
/// Checking of vectors, and L2 normalisation that leaves normalised vectors as they are.

#include <span>
#include <string>

namespace cbir {

/// Vectors longer than this are refused, so that no score of two vectors can overflow float32.
inline constexpr double kMaxNorm = 1e18;

/// A vector whose norm is this close to 1 counts as normalised and keeps its bits: float32 rounding of a unit vector
/// stays well within. So normalising twice is normalising once.
inline constexpr double kUnitTolerance = 1e-6;

enum class VectorState { fine, not_finite, too_long, zero };

/// The squared Euclidean norm and the norm, summed in double in order.
double squared_norm(std::span<const float> vector);
double norm(std::span<const float> vector);

/// Whether the vector can be stored; `normalize` scales it to norm 1 (and refuses a zero vector).
VectorState prepare_vector(std::span<float> vector, bool normalize);

/// Throws what is to be said of a row that is not fine: Incompatible for a zero vector, else DamagedFile. `name` is the
/// set or index that holds it.
[[noreturn]] void refuse_vector(const std::string& name, std::size_t row, const std::string& path, VectorState state);

}  // namespace cbir
