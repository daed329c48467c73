/// cbir-index compact: an index rewritten as one piece.

#include <memory>

#include <cbir/base/parallel.hpp>
#include <cbir/index/index.hpp>
#include <cbir/index/report.hpp>

#include "index.hpp"

namespace cbir::index_tool {
namespace {

struct CompactOptions {
  std::string index;
  Output output;            // no path: in place of the index
  std::size_t threads = 0;  // 0: one a processor
};

CLI::App* add_options(CLI::App& app, CompactOptions& options) {
  CLI::App& command = *app.add_subcommand("compact", "Rewrite an index as one piece, without what was removed");
  add_index(command, options.index);
  add_output(command, options.output)
      ->required(false)
      ->description("Write the new file there [in place of the old one]");
  add_threads(command, options.threads);
  return &command;
}

ExitCode run(const CompactOptions& options, const Program& program) {
  const ThreadLimit limit(options.threads);
  const auto& [output, force] = options.output;
  const ChangeReport report = compact_index(options.index, output, force);
  say(program, verdict(output.empty() ? options.index : output, report));
  return ExitCode::ok;
}

}  // namespace

Command add_compact(Program& program) {
  const auto options = std::make_shared<CompactOptions>();
  const CLI::App* command = add_options(program.app(), *options);
  return {command, [options, &program] { return run(*options, program); }};
}

}  // namespace cbir::index_tool
