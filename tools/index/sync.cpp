/// cbir-index sync: the rows of an index made those of sets, in place.

#include <memory>

#include <cbir/base/parallel.hpp>
#include <cbir/index/index.hpp>
#include <cbir/index/report.hpp>

#include "index.hpp"

namespace cbir::index_tool {
namespace {

struct SyncOptions {
  std::string index;
  std::vector<std::string> sets;
  bool allow_mismatch = false;  // take vectors of another encoder
  std::size_t threads = 0;      // 0: one a processor
};

CLI::App* add_options(CLI::App& app, SyncOptions& options) {
  CLI::App& command = *app.add_subcommand("sync", "Make an index's rows those of a set, adding and removing in place");
  add_index(command, options.index);
  add_sets(command, options.sets);
  command.add_flag("--allow-mismatch", options.allow_mismatch, "Take vectors of another encoder");
  add_threads(command, options.threads);
  return &command;
}

ExitCode run(const SyncOptions& options, const Program& program) {
  const ThreadLimit limit(options.threads);
  say(program, verdict(options.index, sync_index(options.index, options.sets, options.allow_mismatch)));
  return ExitCode::ok;
}

}  // namespace

Command add_sync(Program& program) {
  const auto options = std::make_shared<SyncOptions>();
  const CLI::App* command = add_options(program.app(), *options);
  return {command, [options, &program] { return run(*options, program); }};
}

}  // namespace cbir::index_tool
