/// cbir-index add: rows of sets into an index, in place.

#include <memory>

#include <cbir/base/parallel.hpp>
#include <cbir/index/index.hpp>
#include <cbir/index/report.hpp>

#include "index.hpp"

namespace cbir::index_tool {
namespace {

struct AddToolOptions {
  std::string index;
  std::vector<std::string> sets;
  AddOptions add;
  std::size_t threads = 0;  // 0: one a processor
};

CLI::App* add_options(CLI::App& app, AddToolOptions& options) {
  CLI::App& command = *app.add_subcommand("add", "Add the rows of embedding sets to an index, in place");
  add_index(command, options.index);
  add_sets(command, options.sets);
  command.add_flag("--replace", options.add.replace, "Rows of paths that are there already give way to the new ones");
  command.add_flag("--paths-from-ids", options.add.name_by_id,
                   "Rows of a bare .npy get their ids for paths, not their numbers in it");
  command.add_flag("--allow-mismatch", options.add.allow_mismatch, "Add vectors of another encoder");
  add_threads(command, options.threads);
  return &command;
}

ExitCode run(const AddToolOptions& options, const Program& program) {
  const ThreadLimit limit(options.threads);
  say(program, verdict(options.index, add_to_index(options.index, options.sets, options.add)));
  return ExitCode::ok;
}

}  // namespace

Command add_add(Program& program) {
  const auto options = std::make_shared<AddToolOptions>();
  const CLI::App* command = add_options(program.app(), *options);
  return {command, [options, &program] { return run(*options, program); }};
}

}  // namespace cbir::index_tool
