/// cbir-eval: how good rankings are.

#include "eval.hpp"

#include <algorithm>
#include <vector>

int main(int argc, char** argv) {
  cbir::Program program({.name = "cbir-eval",
                         .summary = "Says how good rankings are, as numbers of the field.",
                         .example = "cbir-eval labels photos.cbir",
                         .see_also = "cbir-index, cbir-query, cbir-doctor"});
  program.app().fallthrough();  // the common options may follow the sub-command
  const std::vector<cbir::eval::Command> commands = {
      cbir::eval::add_labels(program),
      cbir::eval::add_oxford(program),
      cbir::eval::add_revisited(program),
      cbir::eval::add_qrels(program),
      cbir::eval::add_text(program),
      cbir::eval::add_copies(program),
      cbir::eval::add_compare(program),
      cbir::eval::add_cutoff(program),
      cbir::eval::add_report(program),
  };
  program.app().require_subcommand(1);
  return program.run(argc, argv, [&] {
    return std::ranges::find_if(commands, [](const auto& command) { return command.app->parsed(); })->run();
  });
}
