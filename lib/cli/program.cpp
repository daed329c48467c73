#include <cbir/cli/program.hpp>

#include <fcntl.h>
#include <fmt/format.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>
#include <unistd.h>
#include <CLI/CLI.hpp>  // all of it, here alone: what App.hpp leaves out is made anew in each file that includes it

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>
#include <system_error>

#include <cbir/base/log.hpp>
#include <cbir/base/text.hpp>
#include <cbir/cli/version.hpp>

namespace cbir {
namespace {

constexpr std::size_t kMaxThreads = 1024;

bool stderr_is_terminal() { return isatty(STDERR_FILENO) == 1; }

void connect_logging(const std::string& program, bool quiet, bool verbose) {
  const char* no_color = std::getenv("NO_COLOR");
  const auto color =
      stderr_is_terminal() && !(no_color && *no_color) ? spdlog::color_mode::always : spdlog::color_mode::never;
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

/// A standard descriptor that is closed would be given to the next file that is opened, and messages would be written
/// into it. What takes its place is open the wrong way round, so that using it fails as before.
void occupy_standard_descriptors() {
  for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO})
    if (fcntl(fd, F_GETFD) == -1) open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY);
}

std::string unwritable_output(const std::string& reason) {
  return fmt::format("standard output: cannot be written: {}", reason);
}

std::string internal_error(const std::exception& error) {
  return fmt::format("internal error, please report it: {}", error.what());
}

/// CLI11's message, but for a word that is no sub-command, of which it only says that there must be one.
std::string explain(const CLI::App& app, const CLI::ParseError& error) {
  const std::vector<std::string> unknown = app.remaining();
  if (!dynamic_cast<const CLI::RequiredError*>(&error) || unknown.empty() || !app.get_subcommands().empty() ||
      app.get_require_subcommand_min() == 0)
    return error.what();
  std::string known;
  for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; }))
    known += (known.empty() ? "" : ", ") + command->get_name();
  return fmt::format("no sub-command is named '{}'; there are {}", display_path(unknown.front()), known);
}

}  // namespace

CLI::Validator whole_number(std::uint64_t low, std::uint64_t high) {
  const auto check = [low, high](const std::string& text) {
    std::uint64_t number = 0;
    if (parse_number(text, number) && number >= low && number <= high) return std::string();
    const std::string range =
        high == UINT64_MAX ? fmt::format("from {}", low) : fmt::format("from {} to {}", low, high);
    return fmt::format("found '{}', expected a whole number {}", display_path(text), range);
  };
  return CLI::Validator(check, "");
}

CLI::Option* add_threads(CLI::App& app, std::size_t& threads) {
  return app.add_option("--threads", threads, "Threads to use; 0: one a processor")
      ->check(whole_number(0, kMaxThreads))
      ->type_name("N")
      ->capture_default_str();
}

Program::Program(ProgramInfo info) : info_(std::move(info)), app_(info_.summary, info_.name) {
  app_.footer(fmt::format(
      "Example:\n  {}\n\nSee also: {}\nExit status: 0 done, 2 usage, 3 done with skips, 4 input missing, 5 damaged, "
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
  occupy_standard_descriptors();
  std::signal(SIGXFSZ, SIG_IGN);  // a file beyond `ulimit -f` is an output that failed, and no reason to be killed
  connect_logging(info_.name, false, false);
  try {
    return parse_and_run(argc, argv, body);
  } catch (const Error& error) {
    return fail(error.code(), error.what());
  } catch (const std::bad_alloc&) {
    return fail(ExitCode::resource, "out of memory");
  } catch (const std::system_error& error) {
    if (std::ferror(stdout)) return fail(ExitCode::output, unwritable_output(error.code().message()));
    return fail(ExitCode::internal, internal_error(error));
  } catch (const std::exception& error) {
    return fail(ExitCode::internal, internal_error(error));
  }
}

int Program::parse_and_run(int argc, char** argv, const std::function<ExitCode()>& body) {
  ExitCode code = ExitCode::ok;
  try {
    app_.parse(argc, argv);
    connect_logging(info_.name, quiet_, verbose_);
    code = body();
  } catch (const CLI::Success& wanted) {  // --help, --version
    app_.exit(wanted);
  } catch (const CLI::ParseError& error) {
    throw UsageError(fmt::format("{}; try {} --help", explain(app_, error), info_.name));
  }
  if (std::fflush(stdout) != 0 || std::ferror(stdout)) throw OutputError(unwritable_output(std::strerror(errno)));
  return static_cast<int>(code);
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
