#pragma once
/// Which items a picture may show, by its keypoints alone: each looks for the nearest ones of all items' and votes for
/// them, the more the nearer they are than those of further items (local naive Bayes nearest neighbour: McCann and
/// Lowe, CVPR 2012). Votes for a picture of an item count that agree with each other: agreement.hpp.

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include <cbir/catalog/catalog.hpp>

#include "agreement.hpp"
#include "code_tables.hpp"
#include "descriptor_codes.hpp"

namespace cbir {

/// An item's picture that keypoints voted for.
struct VotedPicture {
  std::uint64_t position = 0;  ///< in the catalogue
  double weight = 0;
  Box box = {};  ///< about where it is seen
};

/// Of all pictures of a catalogue, in memory: 32 bytes of code, 16 of place and 36 of tables a keypoint, about.
class KeypointVotes {
 public:
  explicit KeypointVotes(const Catalog& catalog);

  /// The heaviest first, each item once, at most so many. Works on all threads; the result does not depend on their
  /// number.
  std::vector<VotedPicture> count(const LocalFeatures& features, std::size_t most) const;

 private:
  struct Vote {
    std::uint32_t picture = 0, known = 0, seen = 0;  ///< by number, `known` of all keypoints
    float weight = 0;
  };
  struct Near {
    unsigned distance = 0;
    std::uint32_t known = 0;
  };

  std::vector<Vote> votes_of(const LocalFeatures& features) const;
  void vote(std::uint32_t seen, std::vector<Near>& near, std::vector<Vote>& votes) const;
  std::optional<Agreement> agreement(std::span<const Vote> votes, const LocalFeatures& features) const;

  std::vector<std::uint32_t> item_of_;       ///< of each picture
  std::vector<std::array<int, 2>> size_of_;  ///< likewise
  std::vector<DescriptorCode> codes_;        ///< of all keypoints, picture by picture
  std::vector<Spot> spots_;                  ///< likewise
  std::vector<std::uint32_t> picture_of_;    ///< likewise
  DescriptorCoder coder_;
  CodeTables tables_;
};

}  // namespace cbir
