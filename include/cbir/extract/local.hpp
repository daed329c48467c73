#pragma once
/// The local features of a set's pictures, in NAME.local beside it.

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include <cbir/extract/extract.hpp>
#include <cbir/local/local_file.hpp>

namespace cbir {

struct LocalReport {
  std::uint64_t pictures = 0;
  std::uint64_t keypoints = 0;
  std::uint64_t taken_over = 0;  ///< from a run that was stopped, or from the file that was there
  std::uint64_t failed = 0;      ///< pictures that could not be read any more; they are written without features
  bool nothing_to_do = false;
  bool stopped = false;  ///< as `stop` wanted, after `done` rows; the same call goes on, and there is no file yet
  std::uint64_t done = 0;
  std::string first_failure = {};  ///< path and reason
};

/// Looks at the picture, or part, of every row of a finished set and writes what it finds to NAME.local. A run that was
/// stopped is gone on with; of a file that is there, of the same features but an earlier state of the set, what still
/// holds is taken over. The bytes depend neither on that nor on the number of threads. With `force` a file of other
/// features is replaced, and unfinished ones are dropped. `stop` is asked now and then: whether to end once what was
/// begun is written. Throws OutputError, Incompatible (the set is made of texts; an unfinished run was of other
/// features), Locked, and as open_local_extractor.
LocalReport extract_local(const std::string& set, const LocalOptions& options, const DecodeOptions& decode, bool force,
                          const ExtractProgress& progress = {}, const std::function<bool()>& stop = {});

}  // namespace cbir
