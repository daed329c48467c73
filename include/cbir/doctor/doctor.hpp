#pragma once
/// Doctored copies of pictures: queries whose answer is known.
///
/// A copy is named after its original: FOLDER/<parent folder's name>/<file name>.<attacks>.jpg, so that labels by
/// parent folder are those of the originals; a number keeps apart the copies of originals whose last two components are
/// equal. FOLDER/manifest.tsv, written last, has a line a copy: copy (below FOLDER), original, attacks, seed. What
/// becomes of a picture depends on the seed, the attacks and the last two components of its path alone: the same
/// pictures elsewhere, or among others, give the same bytes.
///
/// Distractors are queries without an answer: copies of pictures that are not to be indexed. In the manifest they have
/// no original. FOLDER/database.txt, written where there are distractors, lists the pictures to index, one a line.

#include <cstdint>
#include <string>
#include <vector>

#include <cbir/doctor/attacks.hpp>

namespace cbir {

struct DoctorOptions {
  std::string output;                         ///< FOLDER
  std::uint64_t count = 0;                    ///< pictures to choose; 0: all of them
  std::vector<std::string> distractors = {};  ///< pictures to make distractors of, none of `paths`
  std::uint64_t drawn_distractors = 0;        ///< or how many of `paths` become distractors instead
  std::uint64_t seed = 1;
  std::vector<AttackChain> attacks;  ///< at least one
  bool every_attack = false;         ///< a copy for each attack; else one copy a picture, attacks taking turns
  int quality = 90;                  ///< of the JPEGs, 1 to 100
  bool force = false;                ///< replace copies that exist
};

struct DoctorReport {
  std::uint64_t pictures = 0;       ///< that have copies now
  std::uint64_t copies = 0;         ///< distractors included
  std::uint64_t distractors = 0;    ///< copies without an original
  std::vector<std::string> failed;  ///< a message each for the pictures that could not be read
  std::uint64_t stale = 0;          ///< copies that an earlier manifest names, and this run did not write
};

/// Throws OutputError (something exists, without `force`; cannot be written), UsageError (quality, no attacks, a
/// picture that is a distractor, too, or no picture left to be none), MissingInput (no paths, or all pictures failed).
DoctorReport doctor(const std::vector<std::string>& paths, const DoctorOptions& options);

}  // namespace cbir
