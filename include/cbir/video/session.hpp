#pragma once
/// Pictures and videos, one after another, through an Identifier.

#include <cstdint>
#include <string>
#include <vector>

#include <cbir/catalog/identify.hpp>
#include <cbir/catalog/watch.hpp>
#include <cbir/image/image.hpp>
#include <cbir/store/rows.hpp>

namespace cbir {

/// Is told what was found as soon as it was.
class FindingSink {
 public:
  virtual ~FindingSink() = default;

  virtual void picture(const std::string& path, const Image& picture, const std::vector<ItemFinding>& findings) = 0;
  virtual void frame(const std::string& path, const VideoFrame& frame, const std::vector<ItemFinding>& findings) = 0;
  /// At the end of a video.
  virtual void video(const std::string& path, const WatchReport& report) = 0;
  /// Something that could not be read, or (stage "video") not to its end.
  virtual void failed(const FailedItem& item) = 0;
};

struct SessionReport {
  std::uint64_t pictures = 0, videos = 0;  ///< of which something was looked at
  std::uint64_t frames = 0, looked_at = 0, unchanged = 0;
  std::uint64_t findings = 0;
  std::uint64_t failed = 0;  ///< what the sink was told of
  double decode_seconds = 0, wall_seconds = 0;
  StageSeconds stages = {};
};

/// Pictures, videos, cameras (see open_video()) and folders of pictures, in their order. Throws MissingInput if a path
/// does not exist or nothing at all could be read.
SessionReport identify_all(const Identifier& identifier, const std::vector<std::string>& inputs,
                           const WatchOptions& options, FindingSink& sink);

/// Of each stage name, seconds, and frames a second, between tabs: decode, crops, embed, search, features, verify, and
/// all together; features are computed beside crops, embed and search.
std::string timings_tsv(const SessionReport& report);

}  // namespace cbir
