#pragma once
/// Running another program, without a shell.

#include <string>
#include <vector>

namespace cbir {

struct ProcessResult {
  int status = 0;      ///< exit status; 128+N after signal N; 127 if the program could not be started
  std::string output;  ///< standard output and standard error together, at most the last 64 KiB
};

/// Runs arguments[0] (looked for in PATH if it has no '/') with standard input empty, and waits for it.
ProcessResult run_process(const std::vector<std::string>& arguments);

/// For messages: the arguments as a shell would take them.
std::string shell_quoted(const std::vector<std::string>& arguments);

}  // namespace cbir
