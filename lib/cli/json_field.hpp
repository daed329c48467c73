#pragma once
/// Strings that may be anything, in JSON.

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include <cbir/base/text.hpp>

namespace cbir {

/// `"key":"text"`, or `"key_b64":"..."` if the text is not UTF-8.
inline std::string json_field(std::string_view key, const std::string& text) {
  if (is_utf8(text)) return fmt::format("\"{}\":{}", key, nlohmann::json(text).dump());
  return fmt::format("\"{}_b64\":\"{}\"", key, base64_encode(text));
}

}  // namespace cbir
