#include <cbir/base/error.hpp>
#include <cbir/catalog/watch.hpp>

#include "tests/catch.hpp"

using namespace cbir;

namespace {

Image grey(std::uint8_t level) {
  Image picture(64, 48);
  std::fill(picture.data.begin(), picture.data.end(), level);
  return picture;
}

/// Frames of one grey each, 10 a second; -1 is a frame that is damaged.
class Greys final : public FrameSource {
 public:
  explicit Greys(std::vector<int> levels) : levels_(std::move(levels)) {}

  bool advance() override { return ++at_ <= levels_.size(); }
  void read(VideoFrame& frame) override {
    if (levels_[at_ - 1] < 0) throw ImageError(ExitCode::damaged, "the frame is damaged");
    frame = {grey(static_cast<std::uint8_t>(levels_[at_ - 1])), static_cast<double>(at_ - 1) / 10, at_ - 1};
  }
  double fps() const override { return 10; }

 private:
  std::vector<int> levels_;
  std::size_t at_ = 0;
};

ItemFinding found(const std::string& item, double score) {
  ItemFinding finding;
  finding.item = item;
  finding.score = score;
  return finding;
}

/// Watches, and returns the numbers of the frames that were looked at. A frame of level 100 and more shows "lamp", with
/// its level as the score.
std::vector<std::uint64_t> looked_at(std::vector<int> levels, const WatchOptions& options,
                                     WatchReport* report = nullptr) {
  Greys source(std::move(levels));
  std::vector<std::uint64_t> numbers;
  const WatchReport made = watch(
      source,
      [](const Image& picture, StageSeconds&) {
        std::vector<ItemFinding> findings;
        if (picture.data[0] >= 100) findings.push_back(found("lamp", picture.data[0]));
        return findings;
      },
      options, [&](const VideoFrame& frame, const std::vector<ItemFinding>&) { numbers.push_back(frame.number); });
  if (report) *report = made;
  return numbers;
}

using Numbers = std::vector<std::uint64_t>;

}  // namespace

TEST_CASE("A frame that has not changed is not looked at again; slow changes add up") {
  WatchReport report;
  CHECK(looked_at({50, 50, 90, 91, 92, 93, 94, 95, 96, 97}, {.change = 6}, &report) == Numbers{0, 2, 8});
  CHECK(report.unchanged == 7);
  CHECK(report.frames == 10);
  CHECK(looked_at({50, 50, 50}, {.change = 0}) == Numbers{0, 1, 2});
}

TEST_CASE("A change in one part of the frame is a change") {
  ChangeDetector detector(6);
  Image picture = grey(80);
  CHECK(detector.changed(picture));
  CHECK_FALSE(detector.changed(picture));
  for (int y = 40; y < 44; ++y) std::fill(picture.row(y) + 3 * 16, picture.row(y) + 3 * 20, std::uint8_t{0});
  CHECK(detector.changed(picture));
}

TEST_CASE("Every so many-th frame, or so many a second") {
  const std::vector<int> moving = {0, 10, 20, 30, 40, 50, 60, 70, 80, 90};
  CHECK(looked_at(moving, {.every = 4}) == Numbers{0, 4, 8});
  CHECK(looked_at(moving, {.fps = 2}) == Numbers{0, 5});
  CHECK(looked_at(moving, {.fps = 4}) == Numbers{0, 3, 5, 8});
  CHECK(looked_at(moving, {.fps = 100}).size() == 10);
}

TEST_CASE("The pace is what keeps up with the video") {
  Pace pace(.04);
  CHECK(pace.every() == 1);
  for (int i = 0; i < 50; ++i) pace.add(.01, .09);  // .03 s of each frame's time are left
  CHECK(pace.every() == 3);
  for (int i = 0; i < 50; ++i) pace.add(.01, .001);
  CHECK(pace.every() == 1);
  for (int i = 0; i < 50; ++i)
    pace.add(.05, .2);  // decoding alone takes too long: a quarter of the time is for looking
  CHECK(pace.every() == 20);
}

TEST_CASE("No single frame that takes long to decode makes a watcher look away") {
  Pace pace(.04);
  pace.add(.5, .3);  // the first one, with which the decoder starts
  CHECK(pace.every() == 10);
  for (int i = 0; i < 50; ++i) pace.add(.001, .3);
  CHECK(pace.every() == 8);
  pace.add(2, .3);
  CHECK(pace.every() == 8);
}

TEST_CASE("An appearance lasts from the first frame to the last, gaps and unchanged frames included") {
  WatchReport report;
  looked_at({0, 120, 200, 200, 200, 0, 150, 0, 0, 0, 0, 0, 0, 0, 130}, {.gap = .5}, &report);
  REQUIRE(report.appearances.size() == 2);
  CHECK(report.appearances[0].item == "lamp");
  CHECK(report.appearances[0].from == Approx(.1));
  CHECK(report.appearances[0].to == Approx(.6));
  CHECK(report.appearances[0].frames == 3);
  CHECK(report.appearances[0].best_time == Approx(.2));
  CHECK(report.appearances[0].best.score == 200);
  CHECK(report.appearances[1].from == Approx(1.4));
}

TEST_CASE("What is still there when nothing changes goes on; what was lost before does not") {
  AppearanceTracker tracker(1);
  tracker.add(0, {found("a", 1), found("b", 1)});
  tracker.add(.5, {found("a", 1)});
  tracker.extend(.9);
  const auto appearances = tracker.finish();
  REQUIRE(appearances.size() == 2);
  CHECK(appearances[0].to == .9);
  CHECK(appearances[1].to == 0);
}

TEST_CASE("A damaged frame is counted and passed over") {
  WatchReport report;
  CHECK(looked_at({0, -1, 120, -1}, {}, &report) == Numbers{0, 2});
  CHECK(report.damaged == 2);
  CHECK(report.findings == 1);
}

TEST_CASE("A video without frames has nothing to look at, and one can be left early") {
  WatchReport report;
  CHECK(looked_at({}, {}, &report).empty());
  CHECK(report.frames == 0);
  CHECK(looked_at({0, 20, 40, 60}, {.until = .15}) == Numbers{0, 1});
}
