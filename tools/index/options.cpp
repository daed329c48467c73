/// Options that several sub-commands have.

#include <fmt/format.h>

#include "index.hpp"

namespace cbir::index_tool {

void add_index(CLI::App& command, std::string& index) {
  command.add_option("index", index, "The index")->type_name("X.cbir")->required();
}

void add_sets(CLI::App& command, std::vector<std::string>& sets) {
  command
      .add_option("sets", sets,
                  "Sets of cbir-extract (NAME, NAME.npy or NAME.json), any .npy of vectors, or X_Embeddings.npy with "
                  "its X_Categories.npy")
      ->type_name("SET")
      ->required();
}

void add_source(CLI::App& command, std::string& source) {
  command.add_option("source", source, "A set, or an index")->type_name("SET|X.cbir")->required();
}

CLI::Option* add_output(CLI::App& command, Output& output) {
  command.add_flag("--force", output.force, "Replace an existing file");
  return command.add_option("-o,--output", output.path, "The index to write")->type_name("X.cbir")->required();
}

void say(const Program& program, const std::string& text) {
  if (!program.quiet()) fmt::print("{}", text);
}

}  // namespace cbir::index_tool
