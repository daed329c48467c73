#pragma once
/// Batches that are finished before the one that stands before them. The files of a set grow in order, so they have to
/// wait; and a run may be killed before their turn has come. Until then each is in a file of its own:
///
///     NAME.state/early/FIRST    FIRST: number of the batch's first item
///
///     8 numbers of 64 bits      items, rows, failed, FIRST, lengths of the four parts
///     the parts                 what the batch adds to vectors.npy, rows.jsonl, failed.jsonl and inputs
///     16 bytes                  XXH3 of all of this
///
/// So what a run loses that dies is what its threads had at work, and never what they had done.

#include <cstdint>
#include <mutex>
#include <set>
#include <string>
#include <utility>

#include "output.hpp"

namespace cbir {

/// All but load() and clear() may be called by several threads at a time, for batches of their own.
class EarlyBatches {
 public:
  explicit EarlyBatches(std::string folder) : folder_(std::move(folder)) {}

  /// Looks for what a stopped run has left.
  void load();
  /// Forgets and removes everything. Throws OutputError.
  void clear();

  /// Throws OutputError.
  void put(std::uint64_t first, const BatchOutput& batch);
  /// False if there is none of so many items, or what there is of it is damaged.
  bool get(std::uint64_t first, std::uint64_t items, BatchOutput& batch) const;
  /// Its turn has come, or it is of no use. What cannot be removed now is by clear().
  void drop(std::uint64_t first);

 private:
  std::string path_of(std::uint64_t first) const { return folder_ + "/" + std::to_string(first); }

  std::string folder_;
  mutable std::mutex mutex_;
  std::set<std::uint64_t> there_;
};

}  // namespace cbir
