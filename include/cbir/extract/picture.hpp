#pragma once
/// One picture on its way from its file into a network: the same for the rows of a set and for queries.

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include <cbir/base/boundary.hpp>
#include <cbir/base/memory.hpp>
#include <cbir/encoder/encoder.hpp>
#include <cbir/extract/boxes.hpp>
#include <cbir/image/decoder_processes.hpp>
#include <cbir/image/image.hpp>

namespace cbir {

/// What tells a file from one that was changed: kept for each item in NAME.state/inputs, as it stands in memory. All
/// zeros for a file that cannot be examined.
struct Stamp {
  std::uint64_t size : 63 = 0;
  /// Whether the file was changed so shortly before it was read, by the clock then, that a change just afterwards could
  /// have left all this as it is: times are as coarse as two seconds. (Git calls such files racily clean.)
  std::uint64_t fresh : 1 = 0;
  std::uint64_t inode = 0;
  std::int64_t mtime = 0;  ///< nanoseconds since 1970
  std::int64_t ctime = 0;

  /// But for `fresh`, which is about when it was taken.
  bool operator==(const Stamp& other) const {
    return size == other.size && inode == other.inode && mtime == other.mtime && ctime == other.ctime;
  }
};
static_assert(sizeof(Stamp) == 32);

struct LoadFailure {
  std::string stage;   ///< "read", "decode" or "crop"
  std::string reason;  ///< without the path
};

/// What the reason of a failure begins with that is the machine's.
inline constexpr const char* kOutOfMemory = kNoMemory;

struct LoadedPicture {
  Stamp stamp;                  ///< of the file that was read
  std::uint64_t bytes = 0;      ///< that were read
  int width = 0, height = 0;    ///< upright, whole
  std::optional<PixelBox> box;  ///< that was taken, if not the whole
  std::string xxh3;             ///< of the file's bytes, in hexadecimal
  std::optional<LoadFailure> failure;
};

/// Told what was read, with bytes and xxh3; whether that is all that is wanted to know of the file.
using KnownContent = std::function<bool(const LoadedPicture&)>;
/// A picture as it was decoded, and what is to be said of its file.
struct OpenedPicture {
  LoadedPicture about;                       ///< without a box
  Image image;                               ///< upright; without pixels if that failed
  std::optional<MemoryBudget::Part> memory;  ///< that it is decoded in and lies in
};

/// Reads and decodes a picture, once DecodeOptions::memory has room for it; one that it can never have room for is a
/// failure. Failures, and what is thrown, are as below.
OpenedPicture open_picture(const std::string& path, const DecodeOptions& options, const KnownContent& known = {});

/// Preprocesses an opened picture, or what lies in `box` of it, into `slot`, which is left without pixels if that
/// fails. If opening it failed, so does this.
LoadedPicture cut_picture(const OpenedPicture& picture, const Encoder& encoder, Image& slot,
                          const std::optional<Box>& box = {});

/// Reads, decodes and preprocesses a picture, or what lies in `box` of it, into `slot`, which is left without pixels if
/// that fails. A whole picture is preprocessed where it is decoded, if DecodeOptions::decoders can. Whatever is wrong
/// with the picture or its file is the failure; thrown is what is no fault of theirs: MissingInput if the plug-in with
/// the codecs is not installed, ResourceLimit if there can be no process for it, an internal error if preset and
/// encoder do not fit. Content that is `known` is not decoded.
LoadedPicture load_picture(const std::string& path, const DecodeOptions& options, const Encoder& encoder, Image& slot,
                           const std::optional<Box>& box = {}, const KnownContent& known = {});

}  // namespace cbir
