#pragma once
/// features-N.codes: what the keypoints of features-N.local vote by, so that it is not computed whenever a catalogue is
/// opened. It follows from the features: where it is missing, or is of other features, it is computed in memory. The
/// layout is docs/formats.md.

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include <cbir/local/local_file.hpp>

#include "agreement.hpp"
#include "descriptor_codes.hpp"

namespace cbir {

/// A picture whose keypoints have codes, as it stands in the file.
struct CodedPicture {
  std::uint32_t width = 0, height = 0;
  std::uint32_t keypoints = 0;
  std::uint32_t zero = 0;
};

/// The descriptor that codes are about: see DescriptorCoder.
struct CodeMean {
  std::uint64_t sample = 0;         ///< of so many descriptors it is the mean
  std::vector<float> numbers = {};  ///< of binary descriptors none

  bool operator==(const CodeMean&) const = default;
};

/// The pictures of a file of features in their order, and all their keypoints.
class KeypointCodes {
 public:
  /// Those that the file `path` holds, if it is there and is of these features; else nothing, of no picture. Checks
  /// every byte. Throws DamagedFile, Incompatible (another kind of file, or a newer version).
  static KeypointCodes open(const std::string& path, const LocalFile& features);
  /// Computes them. Works on all threads.
  static KeypointCodes compute(const LocalFile& features, const CodeMean& mean);

  bool empty() const noexcept { return pictures_.empty(); }
  const CodeMean& mean() const noexcept { return mean_; }
  std::span<const CodedPicture> pictures() const noexcept { return pictures_; }
  std::span<const Spot> spots() const noexcept { return spots_; }
  std::span<const DescriptorCode> codes() const noexcept { return codes_; }

  /// Writes a file for open(), in place of one that is there. Throws OutputError.
  void write(const std::string& path, const LocalFile& features) const;

 private:
  KeypointCodes() = default;
  void map(const std::string& path, const LocalFile& features);

  CodeMean mean_;
  std::span<const CodedPicture> pictures_;
  std::span<const Spot> spots_;
  std::span<const DescriptorCode> codes_;
  MappedFile file_;                              ///< that they lie in
  std::vector<CodedPicture> own_pictures_ = {};  ///< or where they were computed
  std::vector<Spot> own_spots_ = {};
  std::vector<DescriptorCode> own_codes_ = {};
};

/// The mean of some of all descriptors.
CodeMean sample_mean(std::span<const LocalFile> files);

/// Codes of each of the files, which are those of a catalogue in the order of their numbers: all by one mean, and
/// computed where they are not stored by it.
std::vector<KeypointCodes> open_codes(std::span<const LocalFile> files);

/// Makes the files of codes that are missing, or damaged. As long as the mean is that of few descriptors, and there are
/// many more now, all are made again by a better one. Throws OutputError. Whoever calls it holds the lock.
void store_codes(std::span<const LocalFile> files);

}  // namespace cbir
