#pragma once
/// Reading fields out of JSON objects that nobody vouches for.

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <cbir/base/error.hpp>
#include <cbir/base/text.hpp>

namespace cbir {

/// How deeply arrays and objects lie in one another; counted before parsing, since printing recurses.
inline std::size_t json_depth(std::string_view text) {
  std::size_t depth = 0, deepest = 0;
  bool in_string = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '"') in_string = !in_string;
    if (c == '\\' && in_string) ++i;
    if (in_string) continue;
    if (c == '[' || c == '{') deepest = std::max(deepest, ++depth);
    if ((c == ']' || c == '}') && depth > 0) --depth;
  }
  return deepest;
}

/// An object's fields by type; every message begins with `where`.
template <typename Json>
class JsonFields {
 public:
  /// Throws DamagedFile if `text` is no JSON object.
  JsonFields(std::string_view text, std::string_view where) : where_(where) {
    constexpr std::size_t kDeepest = 64;
    if (json_depth(text) > kDeepest) fail("JSON nested too deeply");
    json_ = Json::parse(text, nullptr, false);
    if (json_.is_discarded()) fail("no well-formed JSON found");
    if (!json_.is_object()) fail(fmt::format("a JSON object expected, found {}", json_.type_name()));
  }

  const Json* find(const char* key) const {
    const auto field = json_.find(key);
    return field == json_.end() ? nullptr : &*field;
  }

  std::optional<std::string> text(const char* key) const {
    const Json* field = find(key);
    if (!field) return {};
    if (!field->is_string()) wrong(key, "a string", *field);
    return field->template get<std::string>();
  }

  std::optional<std::uint64_t> count(const char* key) const {
    const Json* field = find(key);
    if (!field) return {};
    if (!field->is_number_unsigned()) wrong(key, "a whole number", *field);
    return field->template get<std::uint64_t>();
  }

  std::optional<std::int64_t> integer(const char* key) const {
    const Json* field = find(key);
    if (!field) return {};
    const bool fits =
        field->is_number_unsigned() ? field->template get<std::uint64_t>() <= INT64_MAX : field->is_number_integer();
    if (!fits) wrong(key, "a whole number of 64 bits", *field);
    return field->template get<std::int64_t>();
  }

  std::optional<double> number(const char* key) const {
    const Json* field = find(key);
    if (!field) return {};
    if (!field->is_number()) wrong(key, "a number", *field);
    return field->template get<double>();
  }

  /// Whole numbers.
  std::optional<std::vector<std::uint64_t>> counts(const char* key) const {
    const Json* field = find(key);
    if (!field) return {};
    const auto is_count = [](const Json& each) { return each.is_number_unsigned(); };
    if (!field->is_array() || !std::ranges::all_of(*field, is_count)) wrong(key, "a list of whole numbers", *field);
    return field->template get<std::vector<std::uint64_t>>();
  }

  /// The object at `key`; messages name that, too.
  std::optional<JsonFields> object(const char* key) const {
    const Json* field = find(key);
    if (!field) return {};
    if (!field->is_object()) wrong(key, "an object", *field);
    JsonFields fields;
    fields.where_ = fmt::format("{}: \"{}\"", where_, key);
    fields.json_ = *field;
    return fields;
  }

  /// Whether the field is `true`; one of another type belongs to somebody else.
  bool is_true(const char* key) const {
    const Json* field = find(key);
    return field && field->is_boolean() && field->template get<bool>();
  }

  /// The string at `key`, or the bytes that base64 at `key_b64` stands for.
  std::optional<std::string> bytes(const char* key, const char* key_b64) const {
    if (auto plain = text(key)) return plain;
    const auto coded = text(key_b64);
    if (!coded) return {};
    try {
      return base64_decode(*coded);
    } catch (const DamagedFile& error) {
      fail(fmt::format("\"{}\": {}", key_b64, error.what()));
    }
  }

  template <typename T>
  T required(std::optional<T> value, const char* key) const {
    if (!value) fail(fmt::format("no \"{}\"", key));
    return *std::move(value);
  }

  [[noreturn]] void fail(const std::string& what) const {
    throw DamagedFile(fmt::format("{}: {}", display_path(where_), what));
  }

  Json& json() { return json_; }
  const Json& json() const { return json_; }

 private:
  JsonFields() = default;

  [[noreturn]] void wrong(const char* key, std::string_view expected, const Json& found) const {
    fail(fmt::format("\"{}\" must be {}, found {}", key, expected,
                     display_path(found.dump(-1, ' ', true).substr(0, 60))));
  }

  std::string where_;
  Json json_;
};

}  // namespace cbir
