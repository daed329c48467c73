#include <cbir/cli/program.hpp>

#include <fmt/format.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>

#include <cbir/base/log.hpp>
#include <cbir/cli/version.hpp>

namespace cbir {
namespace {

bool stderr_is_terminal() { return isatty(STDERR_FILENO) == 1; }

void connect_logging(const std::string& program, bool quiet, bool verbose) {
  const char* no_color = std::getenv("NO_COLOR");
  const auto color = stderr_is_terminal() && !(no_color && *no_color) ? spdlog::color_mode::always : spdlog::color_mode::never;
  auto logger = std::make_shared<spdlog::logger>(program, std::make_shared<spdlog::sinks::stderr_color_sink_mt>(color));
  logger->set_pattern("%n: %^%l%$: %v");
  logger->set_level(quiet ? spdlog::level::err : verbose ? spdlog::level::debug : spdlog::level::info);
  spdlog::set_default_logger(logger);
  set_log_sink([logger](LogLevel level, std::string_view message) {
    logger->log(level == LogLevel::debug  ? spdlog::level::debug
                : level == LogLevel::info ? spdlog::level::info
                                          : spdlog::level::warn,
                fmt::string_view(message.data(), message.size()));
  });
}

int fail(ExitCode code, const std::string& message) {
  spdlog::error(fmt::runtime("{}"), message);
  return static_cast<int>(code);
}

}  // namespace

Program::Program(ProgramInfo info) : info_(std::move(info)), app_(info_.summary, info_.name) {
  app_.footer(fmt::format("Example:\n  {}\n\nSee also: {}\nExit status: 0 done, 2 usage, 3 done with skips, 4 input missing, 5 damaged, "
                          "6 incompatible,\n  7 output failed, 8 locked, 9 resource limit; man {} explains.",
                          info_.example, info_.see_also, info_.name));
  app_.set_version_flag("--version", fmt::format("{} {}", info_.name, kVersion));
  app_.set_help_flag("-h,--help", "Show this help and exit");
  app_.add_flag("-q,--quiet", quiet_, "Say nothing but errors")->group("Messages");
  app_.add_flag("-v,--verbose", verbose_, "Say more")->group("Messages");
  app_.add_flag("--progress", progress_, "Show progress even if standard error is no terminal")->group("Messages");
  app_.get_formatter()->column_width(34);
}

Program::~Program() { set_log_sink({}); }

int Program::run(int argc, char** argv, const std::function<ExitCode()>& body) {
  connect_logging(info_.name, false, false);
  try {
    app_.parse(argc, argv);
  } catch (const CLI::Success& done) {  // --help, --version
    return app_.exit(done);
  } catch (const CLI::ParseError& error) {
    return fail(ExitCode::usage, fmt::format("{}; try {} --help", error.what(), info_.name));
  }
  connect_logging(info_.name, quiet_, verbose_);
  try {
    const ExitCode code = body();
    if (std::fflush(stdout) != 0 || std::ferror(stdout))
      throw OutputError(fmt::format("standard output: cannot be written: {}", std::strerror(errno)));
    return static_cast<int>(code);
  } catch (const Error& error) {
    return fail(error.code(), error.what());
  } catch (const std::bad_alloc&) {
    return fail(ExitCode::resource, "out of memory");
  } catch (const std::exception& error) {
    return fail(ExitCode::internal, fmt::format("internal error, please report it: {}", error.what()));
  }
}

bool Program::shows_progress() const { return !quiet_ && (progress_ || stderr_is_terminal()); }

struct ProgressLine::State {
  using Clock = std::chrono::steady_clock;
  std::string unit;
  std::uint64_t total;
  bool rewrites = stderr_is_terminal();
  Clock::time_point start = Clock::now(), shown = start;
  bool anything = false;
};

ProgressLine::ProgressLine(std::string unit, std::uint64_t total, bool shown)
    : state_(shown ? std::make_unique<State>(State{std::move(unit), total}) : nullptr) {}

ProgressLine::~ProgressLine() {
  if (state_ && state_->anything && state_->rewrites) fmt::print(stderr, "\n");
}

void ProgressLine::update(std::uint64_t done, std::uint64_t failed) {
  if (!state_) return;
  const auto now = State::Clock::now();
  const std::chrono::duration<double> pause(state_->rewrites ? 0.2 : 5.0);
  if (now - state_->shown < pause && done < state_->total) return;
  state_->shown = now;
  state_->anything = true;
  const double seconds = std::chrono::duration<double>(now - state_->start).count();
  const double rate = seconds > 0 ? static_cast<double>(done) / seconds : 0;
  const double left = rate > 0 ? static_cast<double>(state_->total - done) / rate : 0;
  const auto minutes = static_cast<long>(left) / 60;
  fmt::print(stderr, "{}{} of {} {}, {:.0f}/s, {}:{:02} left{}{}", state_->rewrites ? "\r" : "", done, state_->total,
             state_->unit, rate, minutes, static_cast<long>(left) % 60,
             failed ? fmt::format(", {} failed", failed) : "", state_->rewrites ? "\x1b[K" : "\n");
}

}  // namespace cbir
