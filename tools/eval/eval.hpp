#pragma once
/// The sub-commands of cbir-eval: a file each, which adds its options and says what is done with them.

#include <CLI/App.hpp>
#include <functional>

#include <cbir/base/error.hpp>
#include <cbir/cli/program.hpp>

namespace cbir::eval {

struct Command {
  const CLI::App* app = nullptr;
  std::function<ExitCode()> run;  ///< if `app` was parsed
};

/// Options live as long as the command does.
Command add_labels(Program& program);
Command add_oxford(Program& program);
Command add_revisited(Program& program);
Command add_qrels(Program& program);
Command add_text(Program& program);
Command add_copies(Program& program);
Command add_compare(Program& program);
Command add_cutoff(Program& program);
Command add_report(Program& program);

}  // namespace cbir::eval
