/// cbir-index merge: one index out of the rows of others.

#include <fmt/format.h>

#include <memory>

#include <cbir/base/log.hpp>
#include <cbir/base/parallel.hpp>
#include <cbir/base/text.hpp>
#include <cbir/index/index.hpp>
#include <cbir/index/report.hpp>

#include "index.hpp"

namespace cbir::index_tool {
namespace {

struct MergeToolOptions {
  std::vector<std::string> indexes;
  Output output;
  MergeOptions merge;
  std::size_t threads = 0;  // 0: one a processor
};

CLI::App* add_options(CLI::App& app, MergeToolOptions& options) {
  CLI::App& command = *app.add_subcommand("merge", "Build one index out of the rows of others");
  command.add_option("indexes", options.indexes, "The indexes")->type_name("X.cbir")->required();
  add_output(command, options.output);
  command.add_flag("--allow-mismatch", options.merge.allow_mismatch, "Join indexes of different encoders");
  command.add_flag("--partial", options.merge.partial, "Join parts of a list though some are missing");
  add_threads(command, options.threads);
  return &command;
}

ExitCode run(const MergeToolOptions& options, const Program& program) {
  MergeOptions plan = options.merge;
  plan.force = options.output.force;
  const ThreadLimit limit(options.threads);
  const MergeReport report = merge_indexes(options.indexes, options.output.path, plan);
  if (report.cutoffs_dropped > 0)
    log(LogLevel::warning,
        fmt::format("{}: has no cut-off: those of the indexes it is made of are not of the joined rows; cbir-eval "
                    "cutoff finds one",
                    display_path(options.output.path)));
  say(program, verdict(options.output.path, report));
  return ExitCode::ok;
}

}  // namespace

Command add_merge(Program& program) {
  const auto options = std::make_shared<MergeToolOptions>();
  const CLI::App* command = add_options(program.app(), *options);
  return {command, [options, &program] { return run(*options, program); }};
}

}  // namespace cbir::index_tool
