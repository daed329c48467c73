#pragma once
/// The sub-commands of cbir-index: a file each, which adds its options and says what is done with them.

#include <CLI/App.hpp>
#include <functional>
#include <string>
#include <vector>

#include <cbir/base/error.hpp>
#include <cbir/cli/program.hpp>

namespace cbir::index_tool {

struct Command {
  const CLI::App* app = nullptr;
  std::function<ExitCode()> run;  ///< if `app` was parsed
};

/// Options live as long as the command does.
Command add_build(Program& program);
Command add_add(Program& program);
Command add_remove(Program& program);
Command add_sync(Program& program);
Command add_compact(Program& program);
Command add_merge(Program& program);
Command add_export(Program& program);
Command add_augment(Program& program);
Command add_whiten(Program& program);
Command add_info(Program& program);
Command add_verify(Program& program);
Command add_recover(Program& program);

/// What a command writes.
struct Output {
  std::string path;
  bool force = false;  // replace what is there
};

// Options that several commands have.
void add_index(CLI::App& command, std::string& index);
void add_sets(CLI::App& command, std::vector<std::string>& sets);
void add_source(CLI::App& command, std::string& source);
CLI::Option* add_output(CLI::App& command, Output& output);

/// What a command says of its work; not with --quiet.
void say(const Program& program, const std::string& text);

}  // namespace cbir::index_tool
