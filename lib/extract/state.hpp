#pragma once
/// NAME.state: what only a resume or a second run needs. Lies beside the set and is no part of it.
///
///     lock           held by the run at work
///     arguments      key, tab, value: what the result depends on besides the files
///     arithmetic     precision and device that the network came to, which "auto" leaves to the machine
///     inputs         a Stamp for each listed item, in order
/// While the set is unfinished:
///     vectors.npy    the rows so far, after a head that is completed at the end
///     rows.jsonl, failed.jsonl
///     journal        a JournalRecord after each batch
/// Afterwards:
///     finished       XXH3 of the manifest that was written
///
/// The set is unfinished as long as there is a journal. A record carries the lengths of the four growing files and the
/// XXH3 of what they held by then, so that after a crash of the machine, too, the last record that fits is found.

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <cbir/base/file.hpp>
#include <cbir/base/hash.hpp>
#include <cbir/extract/listing.hpp>
#include <cbir/store/set.hpp>

#include "input.hpp"

namespace cbir {

/// What the result depends on besides the content of the files, in a fixed order.
using Arguments = std::vector<std::pair<std::string, std::string>>;

/// The growing files of a run.
enum Part : std::size_t { kVectors, kRows, kFailed, kInputs, kParts };

/// What one batch adds to each of them, and how many items that is.
struct BatchOutput {
  std::array<std::string, kParts> parts;
  std::uint64_t items = 0, rows = 0, failed = 0;
};

struct Counts {
  std::uint64_t items = 0, rows = 0, failed = 0;
};

/// A set being made. One object at a time, in any process, per set.
class State {
 public:
  /// Takes the lock; throws Locked.
  explicit State(const std::string& name);

  /// Whether the set is finished and was made with these arguments of these files, all unchanged; nullptr if it is not
  /// made of files. Throws OutputError, saying what differs, if outputs are there but this is not so.
  bool is_finished(const Arguments& arguments, const Listing* files) const;

  /// Whether a run was stopped before its end.
  bool is_unfinished() const;

  /// Drops everything that was recorded. `replaces` says that outputs that are there may be replaced at the end.
  void start(const Arguments& arguments, const std::string& arithmetic, bool replaces);

  /// Takes over what a stopped run got done, up to the first file that was changed since. Throws Incompatible if its
  /// arguments or its arithmetic were others.
  void resume(const Arguments& arguments, const std::string& arithmetic, const Listing* files);

  const Counts& counts() const noexcept { return counts_; }

  /// Adds a batch; it counts as done from here on, whatever happens to the process.
  void append(const BatchOutput& batch);

  /// Puts the files in place, the manifest last. `manifest` lacks counts and checksums.
  void publish(Manifest manifest);

  /// The first line of the failures, if there are any.
  std::optional<FailedItem> first_failure() const;

  const SetPaths& paths() const noexcept { return paths_; }
  std::string part_path(Part part) const;

 private:
  struct Record;

  std::string file(const std::string& name) const { return paths_.state + "/" + name; }
  std::string final_path(Part part) const;
  std::string describe_difference(const Arguments& arguments) const;
  std::vector<Record> read_journal() const;
  std::size_t sound_records(const std::vector<Record>& records) const;
  bool hash_parts(const Record& from, const Record& to, std::array<Xxh3Hasher, kParts>& hashers) const;
  void open_parts(const Record& record);
  void move_into_place(Part part, bool replaces) const;

  SetPaths paths_;
  std::optional<FileLock> lock_;
  std::array<Fd, kParts> parts_;
  std::array<Xxh3Hasher, kParts> hashers_;
  std::array<std::uint64_t, kParts> lengths_ = {};
  Fd journal_;
  Counts counts_;
};

}  // namespace cbir
