/// cbir-index info: what an index holds.

#include <fmt/format.h>

#include <memory>

#include <cbir/base/parallel.hpp>
#include <cbir/index/index.hpp>
#include <cbir/index/report.hpp>

#include "index.hpp"

namespace cbir::index_tool {
namespace {

struct InfoOptions {
  std::string index;
  bool json = false;
};

CLI::App* add_options(CLI::App& app, InfoOptions& options) {
  CLI::App& command = *app.add_subcommand("info", "Say what an index holds");
  add_index(command, options.index);
  command.add_flag("--json", options.json, "As one JSON object, the encoder's preset included");
  return &command;
}

ExitCode run(const InfoOptions& options) {
  const ThreadLimit limit(0);
  const IndexInfo found = Index::open(options.index).info();
  fmt::print("{}", options.json ? to_json(found) : to_tsv(found));
  return ExitCode::ok;
}

}  // namespace

Command add_info(Program& program) {
  const auto options = std::make_shared<InfoOptions>();
  const CLI::App* command = add_options(program.app(), *options);
  return {command, [options] { return run(*options); }};
}

}  // namespace cbir::index_tool
