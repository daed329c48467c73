#pragma once
/// Videos, frame by frame: which frames are looked at, and what becomes one appearance.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include <cbir/catalog/identify.hpp>
#include <cbir/image/image.hpp>

namespace cbir {

struct VideoFrame {
  Image picture;
  double time = 0;           ///< seconds from the beginning
  std::uint64_t number = 0;  ///< from 0
};

/// Frames one after another, from a file or a camera.
class FrameSource {
 public:
  virtual ~FrameSource() = default;

  /// Goes on to the next frame; false at the end. What is only passed over need not become a picture.
  virtual bool advance() = 0;
  /// The frame that was gone on to. Throws ImageError if it is damaged.
  virtual void read(VideoFrame& frame) = 0;

  virtual double fps() const = 0;  ///< 0: not known
  /// At the end: why it came too early, if it did.
  virtual std::optional<std::string> problem() const { return {}; }
};

struct WatchOptions {
  std::uint64_t every = 1;           ///< look at every so many-th frame; 0: as many as time allows
  std::optional<double> fps = {};    ///< instead: at so many frames a second of the video
  double change = 6;                 ///< least change of a part of the frame, in levels of grey, to be looked at again
  double gap = 1;                    ///< seconds that an item may be lost within one appearance
  std::optional<double> until = {};  ///< seconds of the video after which to stop
  DecodeOptions decode = {};         ///< of pictures that are no video
};

/// Whether a frame shows something else than the one before. A frame is compared by the mean grey of 16 x 12 parts with
/// the last one that was taken, so that slow changes add up.
class ChangeDetector {
 public:
  explicit ChangeDetector(double least) : least_(least) {}

  /// Takes the frame if it differs, or if it is the first.
  bool changed(const Image& picture);

 private:
  double least_;
  std::vector<float> last_;
};

/// How many frames to go on by, so that looking at some keeps up with the video.
class Pace {
 public:
  /// `interval`: seconds between frames.
  explicit Pace(double interval) : interval_(interval) {}

  /// `decode`: seconds that going on by one frame takes; `look`: that looking at one takes.
  void add(double decode, double look);
  std::uint64_t every() const;

 private:
  double interval_;
  std::optional<double> decode_ = {}, look_ = {};  ///< moving averages
};

/// An item from when it was first found to when it was last.
struct Appearance {
  std::string item;
  double from = 0, to = 0;
  std::uint64_t frames = 0;  ///< in which it was found
  double best_time = 0;
  ItemFinding best = {};  ///< of the highest score
};

struct WatchReport {
  std::uint64_t frames = 0;     ///< of the video
  std::uint64_t looked_at = 0;  ///< of these
  std::uint64_t unchanged = 0;  ///< that were due to be looked at, and had not changed
  std::uint64_t damaged = 0;    ///< that could not be read
  std::uint64_t findings = 0;
  double seconds = 0;         ///< of the video
  double decode_seconds = 0;  ///< that decoding took
  double wall_seconds = 0;    ///< that it all took
  StageSeconds stages = {};
  std::vector<Appearance> appearances = {};  ///< in the order of their beginnings
  std::optional<std::string> problem = {};   ///< why the video ended too early, if it did
};

/// Called for each frame that was looked at.
using FrameSink = std::function<void(const VideoFrame& frame, const std::vector<ItemFinding>& findings)>;

/// Watches to the end. A damaged frame is passed over and counted.
WatchReport watch(FrameSource& source,
                  const std::function<std::vector<ItemFinding>(const Image&, StageSeconds&)>& identify,
                  const WatchOptions& options, const FrameSink& sink);

/// Findings of frames into appearances.
class AppearanceTracker {
 public:
  explicit AppearanceTracker(double gap) : gap_(gap) {}

  void add(double time, const std::vector<ItemFinding>& findings);
  /// The same is still seen at this time.
  void extend(double time);
  std::vector<Appearance> finish();

 private:
  double gap_;
  std::vector<Appearance> done_, open_;
  double last_ = 0;  ///< when frames were last looked at
};

}  // namespace cbir
