#include <cbir/catalog/watch.hpp>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <utility>

#include <cbir/base/error.hpp>

namespace cbir {
namespace {

constexpr int kColumns = 16, kRows = 12;  // of the parts that frames are compared by

using Clock = std::chrono::steady_clock;

double since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

/// The mean grey of each part.
std::vector<float> greys_of(const Image& picture) {
  std::vector<float> sums(kColumns * kRows);
  std::vector<int> counts(sums.size());
  for (int y = 0; y < picture.height; ++y) {
    const std::uint8_t* pixel = picture.row(y);
    const int row = y * kRows / picture.height * kColumns;
    for (int column = 0; column < kColumns; ++column) {
      const int end = (column + 1) * picture.width / kColumns, begin = column * picture.width / kColumns;
      int sum = 0;
      for (int x = begin; x < end; ++x, pixel += 3) sum += pixel[0] + 2 * pixel[1] + pixel[2];
      sums[static_cast<std::size_t>(row + column)] += static_cast<float>(sum) / 4;
      counts[static_cast<std::size_t>(row + column)] += end - begin;
    }
  }
  for (std::size_t i = 0; i < sums.size(); ++i)
    if (counts[i] > 0) sums[i] /= static_cast<float>(counts[i]);
  return sums;
}

}  // namespace

bool ChangeDetector::changed(const Image& picture) {
  std::vector<float> greys = greys_of(picture);
  bool differs = last_.empty();
  for (std::size_t i = 0; i < greys.size() && !differs; ++i) differs = std::abs(greys[i] - last_[i]) >= least_;
  if (differs) last_ = std::move(greys);
  return differs;
}

void Pace::add(double decode, double look) {
  constexpr double kNew = .3;     // weight of what is new
  constexpr double kUsual = 2;    // times what it took so far: more is a hiccup
  constexpr double kFirst = .25;  // of the interval, as the first frame may take much longer than any other
  const double most = decode_ ? kUsual * std::max(*decode_, 1e-4) : kFirst * interval_;
  decode = std::min(decode, most);
  decode_ = decode_ ? *decode_ + kNew * (decode - *decode_) : decode;
  look_ = look_ ? *look_ + kNew * (look - *look_) : look;
}

std::uint64_t Pace::every() const {
  constexpr double kMost = 1000;
  constexpr double kLeast = .25;  // of the interval: who cannot keep up should see something all the same
  if (!look_ || interval_ <= 0) return 1;
  const double left = std::max(interval_ - *decode_, kLeast * interval_);  // of the time of one frame, for looking
  return static_cast<std::uint64_t>(std::clamp(std::ceil(*look_ / left), 1., kMost));
}

void AppearanceTracker::add(double time, const std::vector<ItemFinding>& findings) {
  for (auto open = open_.begin(); open != open_.end();) {
    if (time - open->to <= gap_) {
      ++open;
      continue;
    }
    done_.push_back(std::move(*open));
    open = open_.erase(open);
  }
  for (const ItemFinding& finding : findings) {
    auto open = std::ranges::find(open_, finding.item, &Appearance::item);
    if (open == open_.end()) {
      open_.push_back({.item = finding.item, .from = time, .to = time});
      open = open_.end() - 1;
    }
    open->to = time;
    if (open->frames == 0 || finding.score > open->best.score) {
      open->best = finding;
      open->best_time = time;
    }
    ++open->frames;
  }
  last_ = time;
}

void AppearanceTracker::extend(double time) {
  for (Appearance& open : open_)
    if (open.to == last_) open.to = time;  // it was seen in the frame that this one is like
  last_ = time;
}

std::vector<Appearance> AppearanceTracker::finish() {
  std::ranges::move(open_, std::back_inserter(done_));
  open_.clear();
  std::ranges::stable_sort(done_, [](const Appearance& a, const Appearance& b) {
    return std::pair(a.from, a.item) < std::pair(b.from, b.item);
  });
  return std::move(done_);
}

WatchReport watch(FrameSource& source,
                  const std::function<std::vector<ItemFinding>(const Image&, StageSeconds&)>& identify,
                  const WatchOptions& options, const FrameSink& sink) {
  const double interval = source.fps() > 0 ? 1 / source.fps() : 0;
  Pace pace(interval);
  ChangeDetector detector(options.change);
  AppearanceTracker tracker(options.gap);
  WatchReport report;
  VideoFrame frame;
  std::uint64_t due = 0;  // number of the frame that is looked at next
  double due_time = 0;    // with a wanted rate
  const auto start = Clock::now();
  while (true) {
    const auto decoding = Clock::now();
    if (!source.advance()) {
      report.problem = source.problem();
      break;
    }
    const std::uint64_t number = report.frames++;
    const bool looks = options.fps ? static_cast<double>(number) * interval + 1e-9 >= due_time : number >= due;
    if (!looks) {
      report.decode_seconds += since(decoding);
      continue;
    }
    try {
      source.read(frame);
    } catch (const ImageError&) {
      ++report.damaged;
      continue;
    }
    const double decoded = since(decoding);
    report.decode_seconds += decoded;
    report.seconds = frame.time;
    if (options.until && frame.time > *options.until) break;
    const auto looking = Clock::now();
    if (detector.changed(frame.picture)) {
      const std::vector<ItemFinding> findings = identify(frame.picture, report.stages);
      ++report.looked_at;
      report.findings += findings.size();
      tracker.add(frame.time, findings);
      sink(frame, findings);
      pace.add(decoded, since(looking));
    } else {
      ++report.unchanged;
      tracker.extend(frame.time);
    }
    due = number + (options.every > 0 ? options.every : pace.every());
    if (options.fps) due_time += 1 / *options.fps;
  }
  report.wall_seconds = since(start);
  report.appearances = tracker.finish();
  return report;
}

}  // namespace cbir
