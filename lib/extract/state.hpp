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
///     early/         batches that were finished before their turn (early.hpp)
/// Afterwards:
///     finished       XXH3 of the manifest that was written
/// While the set is brought up to date (update.hpp):
///     previous/      arguments, arithmetic, inputs and finished of the set that is still there
///     salvaged/      what a stopped run had done whose list is not the present one: set.npy and so on, arguments,
///                    arithmetic, inputs
///     changes        what is to be reported, once that cannot be found out any more
///
/// The set is unfinished as long as there is a journal. A record carries the lengths of the four growing files and the
/// XXH3 of what they held by then, so that after a crash of the machine, too, the last record that fits is found.

#include <array>
#include <atomic>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <cbir/base/error.hpp>
#include <cbir/base/file.hpp>
#include <cbir/base/hash.hpp>
#include <cbir/extract/listing.hpp>
#include <cbir/store/set.hpp>

#include "arguments.hpp"
#include "early.hpp"
#include "input.hpp"
#include "output.hpp"

namespace cbir {

/// A set whose state tells which files it was made of.
struct Earlier {
  std::string set;     ///< its name
  std::string folder;  ///< of arguments, arithmetic and inputs

  std::string inputs() const { return folder + "/inputs"; }
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

  /// Throws OutputError if outputs are there that were not made here.
  void refuse_foreign_files() const;

  /// The finished set that is there, unless it was not made here; and what a run had done that was given up.
  std::optional<Earlier> finished_set() const;
  std::optional<Earlier> salvaged() const;

  /// What keeps an earlier run's rows from standing beside those of a run with these arguments; empty: nothing. Lists
  /// and labels may differ.
  static std::string describe_conflict(const Earlier& earlier, const Arguments& arguments,
                                       const std::optional<std::string>& arithmetic);
  /// The same of the unfinished run.
  std::string describe_conflict(const Arguments& arguments, const std::optional<std::string>& arithmetic) const;

  /// Whether the unfinished run is of exactly these arguments and files, unchanged as far as it came.
  bool fits(const Arguments& arguments, const Listing& files) const;

  /// Whether the unfinished run may replace outputs that are there.
  bool replaces() const;

  /// Drops everything that was recorded. `replaces` says that outputs that are there may be replaced at the end.
  void start(const Arguments& arguments, const std::string& arithmetic, bool replaces);

  /// Takes over what a stopped run got done, up to the first file that was changed since. Throws Incompatible if its
  /// arguments or its arithmetic were others.
  void resume(const Arguments& arguments, const std::string& arithmetic, const Listing* files);

  /// Before a start(): lets finished_set() last through it.
  void keep_finished() const;

  /// Before a start(): lets what the unfinished run has done last as salvaged(), unless less was done than that has.
  /// `manifest` lacks counts and checksums.
  void salvage(Manifest manifest);

  const Counts& counts() const noexcept { return counts_; }
  /// Items that went through the network since this object was made.
  std::uint64_t encoded() const noexcept { return encoded_; }
  /// Items whose result was kept by a run that was stopped, of those that were appended.
  std::uint64_t kept() const noexcept { return kept_; }

  /// Adds the batch that stands next; it counts as done from here on, whatever happens to the process.
  void append(const BatchOutput& batch);

  /// Keeps a finished batch until it is appended, unless it stands next. For any thread.
  void keep(std::uint64_t first, const BatchOutput& batch);

  /// A batch of so many items that a stopped run has kept, if their files are unchanged; nullptr if it is not made of
  /// files. For any thread.
  bool take_kept(std::uint64_t first, std::uint64_t items, const Listing* files, BatchOutput& batch) const;

  /// Puts the files in place, the manifest last. `manifest` lacks counts and checksums.
  void publish(Manifest manifest);

  /// Instead of publish(), if the finished set that is there is what would be published: leaves it alone, and ends the
  /// run. False, and nothing is done, if it is another.
  bool leave_unchanged(Manifest manifest);

  /// Replaces the stamps of a finished set.
  void write_stamps(Bytes stamps) const;

  /// Of a finished set: removes what only a run needs, in case one was stopped at its very end.
  void tidy();

  /// Removes what is there only while a set is brought up to date.
  void drop_earlier() const;

  /// Text that lasts until the set is published.
  void write_changes(const std::string& text) const;
  std::string read_changes() const;

  /// The first line of the failures, if there are any.
  std::optional<FailedItem> first_failure() const;

  const SetPaths& paths() const noexcept { return paths_; }
  std::string part_path(Part part) const;

 private:
  struct Record;

  static OutputError refuse(const std::string& path, const std::string& why);
  std::string file(const std::string& name) const { return paths_.state + "/" + name; }
  std::string final_path(Part part) const;
  std::vector<Record> read_journal() const;
  std::size_t sound_records(const std::vector<Record>& records) const;
  bool hash_parts(const Record& from, const Record& to, std::array<Xxh3Hasher, kParts>& hashers) const;
  void open_parts(const Record& record);
  void move_into_place(Part part, bool replaces) const;
  void complete(Manifest& manifest);
  void end(const std::string& manifest);

  SetPaths paths_;
  std::optional<FileLock> lock_;
  std::array<Fd, kParts> parts_;
  std::array<Xxh3Hasher, kParts> hashers_;
  std::array<std::uint64_t, kParts> lengths_ = {};
  Fd journal_;
  Counts counts_;
  std::atomic<std::uint64_t> next_ = 0;  ///< counts_.items, for those who keep
  EarlyBatches early_;
  std::uint64_t encoded_ = 0, kept_ = 0;
};

}  // namespace cbir
