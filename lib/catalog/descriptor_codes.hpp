#pragma once
/// Codes of descriptors: of two that are alike few bits differ. Floats are coded by random hyperplanes through the mean
/// of some descriptors (Charikar 2002), bits are codes already.

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include <cbir/local/features.hpp>

namespace cbir {

inline constexpr std::size_t kCodeBits = 256;
using DescriptorCode = std::array<std::uint64_t, kCodeBits / 64>;

/// Bits that differ. Counted side by side in the bytes of all words: processors that need no instruction for it are
/// many, and a call for each word costs more than that.
inline unsigned code_distance(const DescriptorCode& a, const DescriptorCode& b) {
  constexpr std::uint64_t kPairs = 0x5555555555555555U, kFours = 0x3333333333333333U, kBytes = 0x0F0F0F0F0F0F0F0FU;
  std::uint64_t counts = 0;  // of each byte's bits, 8 a word at most
  for (std::size_t i = 0; i < a.size(); ++i) {
    std::uint64_t x = a[i] ^ b[i];
    x -= x >> 1 & kPairs;
    x = (x & kFours) + (x >> 2 & kFours);
    counts += (x + (x >> 4)) & kBytes;
  }
  counts = (counts & 0x00FF00FF00FF00FFU) + (counts >> 8 & 0x00FF00FF00FF00FFU);  // a sum may be more than 255
  return static_cast<unsigned>(counts * 0x0001000100010001U >> 48);
}

struct DescriptorCodes {
  std::vector<DescriptorCode> codes = {};
  /// How far each descriptor lies from each hyperplane, codes x kCodeBits: bits of small ones are the first to differ.
  /// Of binary descriptors none.
  std::vector<float> margins = {};
};

class DescriptorCoder {
 public:
  DescriptorCoder() = default;
  /// `sample`: descriptors of this kind, one after another. Of binary ones nothing is learnt.
  DescriptorCoder(const LocalKind& kind, std::span<const float> sample);

  /// Of binary descriptors longer than a code the beginning is coded. Computes on the calling thread.
  DescriptorCodes encode(const LocalFeatures& features, bool with_margins) const;

 private:
  DescriptorCodes encode_floats(const LocalFeatures& features, bool with_margins) const;

  LocalKind kind_;
  std::vector<float> planes_;  ///< kCodeBits normals of padded_dim(dim) numbers, then an offset each
};

}  // namespace cbir
