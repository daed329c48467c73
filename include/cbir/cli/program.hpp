#pragma once
/// The frame that every program hangs in: options common to all, help, logging to standard error, exit statuses.
///
///     int main(int argc, char** argv) {
///       cbir::Program program({.name = "cbir-eval", .summary = "...", .example = "...", .see_also = "..."});
///       EvalOptions options;
///       add_options(program.app(), options);
///       return program.run(argc, argv, [&] { return run(options, program); });
///     }

#include <CLI/App.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include <cbir/base/error.hpp>

namespace cbir {

struct ProgramInfo {
  std::string name;
  std::string summary;
  std::string example;   ///< one realistic call
  std::string see_also;  ///< the neighbouring programs
};

class Program {
 public:
  explicit Program(ProgramInfo info);
  ~Program();

  CLI::App& app() noexcept { return app_; }
  const ProgramInfo& info() const noexcept { return info_; }

  /// Parses, then runs `body`, and sees that what went to standard output got there. Exceptions become one message on
  /// standard error and an exit status: cbir::Error its own, std::bad_alloc 9, anything else 1. CLI11's errors are 2.
  int run(int argc, char** argv, const std::function<ExitCode()>& body);

  bool quiet() const noexcept { return quiet_; }
  /// Whether progress is shown: standard error is a terminal, or --progress; never with --quiet.
  bool shows_progress() const;

 private:
  int parse_and_run(int argc, char** argv, const std::function<ExitCode()>& body);

  ProgramInfo info_;
  CLI::App app_;
  bool quiet_ = false, verbose_ = false, progress_ = false;
};

/// For CLI::Option::check(): a whole number from `low` to `high`.
CLI::Validator whole_number(std::uint64_t low = 0, std::uint64_t high = UINT64_MAX);

/// --threads, as every program has it; the number is for ThreadLimit.
CLI::Option* add_threads(CLI::App& app, std::size_t& threads);

/// One line on standard error that rewrites itself on a terminal: done, rate, time left, failures.
/// Does nothing if `shown` is false. Not thread-safe.
class ProgressLine {
 public:
  ProgressLine(std::string unit, std::uint64_t total, bool shown);
  ~ProgressLine();
  void update(std::uint64_t done, std::uint64_t failed = 0);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace cbir
