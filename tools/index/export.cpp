/// cbir-index export: the rows of an index as an embedding set.

#include <fmt/format.h>

#include <memory>

#include <cbir/base/parallel.hpp>
#include <cbir/base/text.hpp>
#include <cbir/index/index.hpp>

#include "index.hpp"

namespace cbir::index_tool {
namespace {

struct ExportOptions {
  std::string index;
  Output output;
};

CLI::App* add_options(CLI::App& app, ExportOptions& options) {
  CLI::App& command = *app.add_subcommand("export", "Write the rows of an index as an embedding set");
  add_index(command, options.index);
  add_output(command, options.output)->description("The embedding set to write")->type_name("NAME");
  return &command;
}

ExitCode run(const ExportOptions& options, const Program& program) {
  const ThreadLimit limit(0);
  const auto& [output, force] = options.output;
  const std::uint64_t rows = export_index(options.index, output, force);
  say(program, fmt::format("{}: {}\n", display_path(output), counted(rows, "row")));
  return ExitCode::ok;
}

}  // namespace

Command add_export(Program& program) {
  const auto options = std::make_shared<ExportOptions>();
  const CLI::App* command = add_options(program.app(), *options);
  return {command, [options, &program] { return run(*options, program); }};
}

}  // namespace cbir::index_tool
