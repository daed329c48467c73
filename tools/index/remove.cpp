/// cbir-index remove: rows out of an index, in place.

#include <fmt/format.h>

#include <memory>
#include <utility>

#include <cbir/base/file.hpp>
#include <cbir/base/parallel.hpp>
#include <cbir/base/text.hpp>
#include <cbir/extract/listing.hpp>
#include <cbir/index/index.hpp>
#include <cbir/index/report.hpp>

#include "index.hpp"

namespace cbir::index_tool {
namespace {

struct RemoveOptions {
  std::string index;
  RowSelection removed;
  std::string files_from;  // a list of paths to remove
  bool null = false;       // NUL ends the lines of the list
};

CLI::App* add_options(CLI::App& app, RemoveOptions& options) {
  CLI::App& command = *app.add_subcommand("remove", "Remove rows from an index, in place");
  add_index(command, options.index);
  const auto one_each = [](CLI::Option* option) { return option->allow_extra_args(false); };
  one_each(command.add_option("--path", options.removed.paths, "Remove the row of this path; may be repeated"))
      ->type_name("P");
  command
      .add_option("--files-from", options.files_from, "Remove the paths listed in FILE, one a line; -: standard input")
      ->type_name("FILE");
  command.add_flag("-0,--null", options.null, "Paths of --files-from end with NUL, not newline");
  one_each(
      command.add_option("--where-label", options.removed.labels, "Remove all rows with this label; may be repeated"))
      ->type_name("L");
  return &command;
}

ExitCode run(const RemoveOptions& options, const Program& program) {
  const ThreadLimit limit(0);
  RowSelection removed = options.removed;
  if (options.null && options.files_from.empty()) throw UsageError("-0 is about --files-from, which was not given");
  if (!options.files_from.empty()) {
    const std::string text = read_text(options.files_from);
    for (ListedFile file : list_lines(text, options.null ? '\0' : '\n').files)
      removed.paths.push_back(std::move(file.path));
    if (removed.paths.empty())
      throw MissingInput(fmt::format("{}: the list is empty", display_path(options.files_from)));
  }
  if (removed.paths.empty() && removed.labels.empty())
    throw UsageError("nothing named to remove: give --path, --files-from or --where-label");
  say(program, verdict(options.index, remove_from_index(options.index, removed)));
  return ExitCode::ok;
}

}  // namespace

Command add_remove(Program& program) {
  const auto options = std::make_shared<RemoveOptions>();
  const CLI::App* command = add_options(program.app(), *options);
  return {command, [options, &program] { return run(*options, program); }};
}

}  // namespace cbir::index_tool
