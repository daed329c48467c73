/// cbir-index: builds an index out of embedding sets, changes it, and says what is in it and whether it is sound.

#include "index.hpp"

#include <algorithm>
#include <vector>

int main(int argc, char** argv) {
  namespace tool = cbir::index_tool;
  cbir::Program program({.name = "cbir-index",
                         .summary = "Builds the index that cbir-query searches, changes it, and checks it.",
                         .example = "cbir-index build photos -o photos.cbir && cbir-index info photos.cbir",
                         .see_also = "cbir-extract (makes the sets), cbir-query (searches), cbir-eval (scores)"});
  program.app().fallthrough();  // the common options may follow the sub-command
  const std::vector<tool::Command> commands = {
      tool::add_build(program),   tool::add_add(program),   tool::add_remove(program), tool::add_sync(program),
      tool::add_compact(program), tool::add_merge(program), tool::add_export(program), tool::add_augment(program),
      tool::add_whiten(program),  tool::add_info(program),  tool::add_verify(program), tool::add_recover(program),
  };
  program.app().require_subcommand(1);
  return program.run(argc, argv, [&] {
    return std::ranges::find_if(commands, [](const auto& command) { return command.app->parsed(); })->run();
  });
}
