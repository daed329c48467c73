/// cbir-index verify: every byte and every row looked at.

#include <fmt/format.h>

#include <memory>

#include <cbir/base/parallel.hpp>
#include <cbir/index/index.hpp>
#include <cbir/index/report.hpp>

#include "index.hpp"

namespace cbir::index_tool {
namespace {

struct VerifyOptions {
  std::string index;
  std::size_t threads = 0;  // 0: one a processor
};

CLI::App* add_options(CLI::App& app, VerifyOptions& options) {
  CLI::App& command = *app.add_subcommand("verify", "Check every byte and every row of an index");
  add_index(command, options.index);
  add_threads(command, options.threads);
  return &command;
}

ExitCode run(const VerifyOptions& options) {
  const ThreadLimit limit(options.threads);
  fmt::print("{}", verdict(options.index, verify_index(options.index)));
  return ExitCode::ok;
}

}  // namespace

Command add_verify(Program& program) {
  const auto options = std::make_shared<VerifyOptions>();
  const CLI::App* command = add_options(program.app(), *options);
  return {command, [options] { return run(*options); }};
}

}  // namespace cbir::index_tool
