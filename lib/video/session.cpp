#include <cbir/video/session.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include <cbir/base/error.hpp>
#include <cbir/base/file.hpp>
#include <cbir/base/text.hpp>
#include <cbir/extract/listing.hpp>
#include <cbir/video/video.hpp>

namespace cbir {
namespace {

constexpr std::uint64_t kMaxFileBytes = std::uint64_t{1} << 31;
constexpr std::size_t kHead = 64;  // by which a picture is told

using Clock = std::chrono::steady_clock;

double since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

class Session {
 public:
  Session(const Identifier& identifier, const WatchOptions& options, FindingSink& sink)
      : identifier_(identifier), options_(options), sink_(sink) {}

  void take(const ListedFile& file) {
    std::string stage = "read";
    try {
      if (!file.problem.empty()) throw ImageError(ExitCode::missing_input, file.problem);
      if (is_picture(file)) {
        stage = "decode";
        look_at(file.path);
      } else {
        stage = "video";
        watch_video(file.path);
      }
    } catch (const Error& error) {
      if (error.code() != ExitCode::missing_input && !dynamic_cast<const ImageError*>(&error)) throw;
      fail(file.path, stage, error.what());
    }
  }

  void watch_video(const std::string& path) {
    const auto source = open_video(path);
    const WatchReport report = watch(
        *source, [&](const Image& picture, StageSeconds& seconds) { return identifier_.identify(picture, &seconds); },
        options_, [&](const VideoFrame& frame, const auto& findings) { sink_.frame(path, frame, findings); });
    sink_.video(path, report);
    report_.videos += report.looked_at > 0;
    report_.frames += report.frames;
    report_.looked_at += report.looked_at;
    report_.unchanged += report.unchanged;
    report_.findings += report.findings;
    report_.decode_seconds += report.decode_seconds;
    report_.stages += report.stages;
    if (report.problem) fail(path, "video", *report.problem);
    if (report.damaged > 0) fail(path, "video", fmt::format("{} could not be read", counted(report.damaged, "frame")));
  }

  SessionReport& report() { return report_; }

 private:
  static bool is_picture(const ListedFile& file) {
    if (!file.named || has_image_extension(file.path)) return true;  // what a walk finds, it has looked at
    const Fd fd = open_input(file.path);
    regular_size(fd, file.path);
    return sniff_format(read_at(fd, 0, kHead, file.path)).has_value();
  }

  void look_at(const std::string& path) {
    const auto start = Clock::now();
    const Image picture = decode_image(read_file(path, kMaxFileBytes), options_.decode);
    report_.decode_seconds += since(start);
    const auto findings = identifier_.identify(picture, &report_.stages);
    ++report_.pictures;
    ++report_.looked_at;
    report_.findings += findings.size();
    sink_.picture(path, picture, findings);
  }

  void fail(const std::string& path, const std::string& stage, std::string reason) {
    if (const std::string name = display_path(path) + ": "; reason.starts_with(name)) reason.erase(0, name.size());
    sink_.failed({.path = path, .seq = report_.failed, .stage = stage, .reason = reason});
    ++report_.failed;
  }

  const Identifier& identifier_;
  const WatchOptions& options_;
  FindingSink& sink_;
  SessionReport report_;
};

}  // namespace

SessionReport identify_all(const Identifier& identifier, const std::vector<std::string>& inputs,
                           const WatchOptions& options, FindingSink& sink) {
  Session session(identifier, options, sink);
  const auto start = Clock::now();
  for (const std::string& input : inputs) {
    if (is_live(input)) {
      session.watch_video(input);
      continue;
    }
    for (const ListedFile& file : list_paths({input}, {}).files) session.take(file);
  }
  SessionReport& report = session.report();
  report.wall_seconds = since(start);
  if (report.looked_at == 0)
    throw MissingInput(
        fmt::format("nothing to look at: {} could not be read",
                    inputs.size() == 1 ? "the one input" : fmt::format("none of {} inputs", inputs.size())));
  return report;
}

std::string timings_tsv(const SessionReport& report) {
  std::string text =
      fmt::format("frames\t{}\nlooked_at\t{}\nunchanged\t{}\n", report.frames, report.looked_at, report.unchanged);
  const auto line = [&](const char* stage, double seconds, std::uint64_t count) {
    text += fmt::format("{}\t{:.3f}\t{:.1f}\n", stage, seconds, seconds > 0 ? static_cast<double>(count) / seconds : 0);
  };
  const std::uint64_t all = std::max(report.frames, report.looked_at), looked = report.looked_at;
  line("decode", report.decode_seconds, all);
  line("crops", report.stages.crops, looked);
  line("embed", report.stages.embed, looked);
  line("search", report.stages.search, looked);
  line("features", report.stages.features, looked);
  line("votes", report.stages.votes, looked);
  line("verify", report.stages.verify, looked);
  line("all", report.wall_seconds, all);
  line("all_looked_at", report.wall_seconds, looked);
  return text;
}

}  // namespace cbir
