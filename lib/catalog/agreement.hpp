#pragma once
/// Votes for one picture that agree on where it is seen, how large, and how turned.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include <cbir/extract/boxes.hpp>
#include <cbir/local/features.hpp>

namespace cbir {

/// Where a keypoint lies. Size 0 or an angle of -1: not known.
struct Spot {
  float x = 0, y = 0, size = 0, angle = -1;
};

inline Spot spot_of(const Keypoint& point) { return {point.x, point.y, point.size, point.angle}; }

/// A keypoint of an item's picture that one of the picture at hand resembles.
struct PlacedVote {
  Spot known, seen;
  std::uint32_t number = 0;  ///< of the known one: each counts once
  float weight = 0;
};

struct Agreement {
  double weight = 0;      ///< of the votes that agree
  std::size_t votes = 0;  ///< how many these are
  Box box = {};           ///< about where the item's picture is seen; may lie outside of the picture at hand in part
};

/// The heaviest agreement. Where keypoints have size and angle each vote says by itself where the picture of width x
/// height is seen (Lowe, IJCV 2004), and votes agree if they say much the same; else those that are seen within `reach`
/// of each other do. Votes come heaviest first. Nothing if no two agree.
std::optional<Agreement> agreement_of(std::span<const PlacedVote> votes, int width, int height, double reach);

}  // namespace cbir
