#pragma once

#include <string_view>

namespace cbir {

/// Precedes names of pictures in the queries of the Oxford Buildings, but not in their lists.
inline constexpr std::string_view kOxfordPrefix = "oxc1_";

}  // namespace cbir
