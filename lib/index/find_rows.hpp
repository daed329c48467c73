#pragma once
/// Rows by what they are called.

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "lib/index/opened.hpp"

namespace cbir {

/// out[i]: the rows whose path is paths[i], ascending, removed ones left out. One pass over the hashes of all paths;
/// a row's line is only looked at if its hash matches.
std::vector<std::vector<RowPlace>> find_paths(const OpenedIndex& index, std::span<const std::string> paths);

/// The rows with this label, ascending, removed ones left out.
std::vector<RowPlace> find_label(const OpenedIndex& index, std::string_view label);

/// What a row's label is hashed to in an index; 0 for none.
std::uint64_t label_hash(const RowInfo& row);

}  // namespace cbir
