#pragma once
/// Which row of a group is kept, and which is no copy at all.

#include <cstdint>
#include <vector>

#include <cbir/dedup/dedup.hpp>

namespace cbir {

/// A row that may come into a group.
struct Member {
  std::uint32_t row = 0;     ///< among those of all sources
  std::uint32_t vector = 0;  ///< of the row, among those that differ
  RowInfo info;
};

/// The position of the one to be kept.
std::size_t choose_kept(const std::vector<Member>& members, Keep keep);

/// Whether any of them says what `keep` goes by.
bool says(const std::vector<Member>& members, Keep keep);

/// Takes out those whose path leads to the file of one before them, and returns how many they were. Texts have no file.
std::size_t remove_same_files(std::vector<Member>& members);

}  // namespace cbir
