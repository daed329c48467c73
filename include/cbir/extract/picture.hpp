#pragma once
/// One picture on its way from its file into a network: the same for the rows of a set and for queries.

#include <cstdint>
#include <optional>
#include <string>

#include <cbir/encoder/encoder.hpp>
#include <cbir/image/image.hpp>

namespace cbir {

/// What tells a file from one that was changed: kept for each item in NAME.state/inputs, as it stands in memory. All
/// zeros for a file that cannot be examined.
struct Stamp {
  std::uint64_t size = 0;
  std::uint64_t inode = 0;
  std::int64_t mtime = 0;  ///< nanoseconds since 1970
  std::int64_t ctime = 0;

  bool operator==(const Stamp&) const = default;
};
static_assert(sizeof(Stamp) == 32);

struct LoadFailure {
  std::string stage;   ///< "read" or "decode"
  std::string reason;  ///< without the path
};

struct LoadedPicture {
  Stamp stamp;                ///< of the file that was read
  std::uint64_t bytes = 0;    ///< that were read
  int width = 0, height = 0;  ///< upright
  std::string xxh3;           ///< of the file's bytes, in hexadecimal
  std::optional<LoadFailure> failure;
};

/// Reads, decodes and preprocesses a picture into `slot`, which is left without pixels if that fails.
/// Whatever is wrong with the picture or its file is the failure; thrown is what is no fault of theirs: MissingInput if
/// the plug-in with the codecs is not installed, an internal error if preset and encoder do not fit.
LoadedPicture load_picture(const std::string& path, const DecodeOptions& options, const Encoder& encoder, Image& slot);

}  // namespace cbir
