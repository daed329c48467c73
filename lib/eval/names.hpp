#pragma once
/// Which item of a ranking is meant by which name of a ground truth.
///
/// Names are compared byte by byte, but for a leading "./". An item is what bears its very name; else what has its base
/// name without extension, and if several do, the one that shares most folders at the end of the path ("db/a/x.jpg" is
/// "a/x" rather than "b/x"). A name that some item bears exactly is that item's alone. An item that could as well be
/// one name as another is neither, and names that differ in case are different names; both are counted. An extension is
/// what follows the last dot, if it is one to five letters and digits and begins with a letter: the documents "FT911.3"
/// and "FT911.4" stay apart.

#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

namespace cbir {

inline constexpr std::uint32_t kNoName = std::numeric_limits<std::uint32_t>::max();

struct NameMatch {
  std::vector<std::uint32_t> of_item;             ///< for each item the name that it is, or kNoName
  std::vector<std::vector<std::uint32_t>> items;  ///< for each name the items that are it, ascending
  std::vector<std::uint32_t> ambiguous;           ///< items that could be several names
  std::vector<std::uint32_t> other_case;          ///< items that differ in case alone from a name that no item is
};

/// `names` are different from each other. `prefix`: one that may precede the base name on either side ("oxc1_").
NameMatch match_names(const std::vector<std::string>& items, const std::vector<std::string>& names,
                      std::string_view prefix = {});

/// "db/oxc1_a.jpg" -> "a" (with the prefix "oxc1_").
std::string_view name_stem(std::string_view path, std::string_view prefix = {});

}  // namespace cbir
