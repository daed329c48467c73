#pragma once
/// What the result of a run depends on besides the content of the files: as a file, lines of key, tab, value.

#include <string>
#include <utility>
#include <vector>

namespace cbir {

/// In a fixed order.
using Arguments = std::vector<std::pair<std::string, std::string>>;

std::string to_text(const Arguments& arguments);

/// None if the file is not there.
Arguments read_arguments(const std::string& path);

/// Without those that say which items there are and what they are called: whose rows may stand side by side agree in
/// the rest.
Arguments without_list(const Arguments& arguments);

/// Says, for people, in what the arguments of an earlier run differ from those of this one; empty: in nothing.
std::string describe_difference(const Arguments& before, const Arguments& now);

}  // namespace cbir
