#pragma once
/// Texts in messages.

#include <string>
#include <string_view>

namespace cbir {

/// A text for a message: "a red bus", with "..." for what is beyond some 80 characters; as display_path() where it
/// holds what cannot be printed.
std::string excerpt(std::string_view text);

}  // namespace cbir
