#pragma once
/// Errors and the exit statuses they map to.
///
/// The library reports every failure by throwing a type derived from cbir::Error. It never prints, exits or
/// installs a signal handler. A message names the file, says what was found and what was expected, and what to do.

#include <stdexcept>
#include <string>

namespace cbir {

/// Exit status of every program; 128+N is a signal's.
enum class ExitCode : int {
  ok = 0,
  internal = 1,       ///< a bug in the toolkit
  usage = 2,          ///< the command line makes no sense
  skipped = 3,        ///< done, but items were skipped
  missing_input = 4,  ///< an input is missing, or too many items failed
  damaged = 5,        ///< a data file is damaged
  incompatible = 6,   ///< files that do not belong together, or of a kind this version does not read
  output = 7,         ///< output could not be written, or would have been overwritten
  locked = 8,         ///< another run holds the lock
  resource = 9,       ///< a resource limit (memory, pixels, device)
};

/// Base of all exceptions thrown by the library.
class Error : public std::runtime_error {
 public:
  Error(ExitCode code, const std::string& message) : std::runtime_error(message), code_(code) {}
  ExitCode code() const noexcept { return code_; }

 private:
  ExitCode code_;
};

namespace detail {
template <ExitCode Code>
class ErrorOf : public Error {
 public:
  explicit ErrorOf(const std::string& message) : Error(Code, message) {}
};
}  // namespace detail

using UsageError = detail::ErrorOf<ExitCode::usage>;
using MissingInput = detail::ErrorOf<ExitCode::missing_input>;
using DamagedFile = detail::ErrorOf<ExitCode::damaged>;
using Incompatible = detail::ErrorOf<ExitCode::incompatible>;
using OutputError = detail::ErrorOf<ExitCode::output>;
using Locked = detail::ErrorOf<ExitCode::locked>;
using ResourceLimit = detail::ErrorOf<ExitCode::resource>;

}  // namespace cbir
