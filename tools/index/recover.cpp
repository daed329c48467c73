/// cbir-index recover: what is sound of a damaged index.

#include <fmt/format.h>

#include <memory>

#include <cbir/base/parallel.hpp>
#include <cbir/index/index.hpp>
#include <cbir/index/report.hpp>

#include "index.hpp"

namespace cbir::index_tool {
namespace {

struct RecoverOptions {
  std::string index;
  Output output;
};

CLI::App* add_options(CLI::App& app, RecoverOptions& options) {
  CLI::App& command =
      *app.add_subcommand("recover", "Write what is sound of an index with a damaged root record as a new index");
  add_index(command, options.index);
  add_output(command, options.output);
  return &command;
}

ExitCode run(const RecoverOptions& options) {
  const ThreadLimit limit(0);
  const auto& [output, force] = options.output;
  fmt::print("{}", verdict(output, recover_index(options.index, output, force)));
  return ExitCode::ok;
}

}  // namespace

Command add_recover(Program& program) {
  const auto options = std::make_shared<RecoverOptions>();
  const CLI::App* command = add_options(program.app(), *options);
  return {command, [options] { return run(*options); }};
}

}  // namespace cbir::index_tool
