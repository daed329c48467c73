#include "html.hpp"

#include <unicode/locid.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>

namespace cbir::text {
namespace {

using icu::UnicodeString;

struct Entity {
  std::string_view name, text;
};

constexpr Entity kEntities[] = {
#include "html_entities.inc"
};

constexpr std::int32_t kLongestName = 32;            // of names that Python considers
constexpr std::int32_t kLongestTerminatedName = 24;  // of those that ftfy considers
constexpr std::uint32_t kBeyondUnicode = 0x110000;

bool is_digit(char16_t c) { return c >= '0' && c <= '9'; }
bool is_upper(char16_t c) { return c >= 'A' && c <= 'Z'; }
bool is_hex_digit(char16_t c) { return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }
bool is_alphanumeric(char16_t c) { return is_digit(c) || is_upper(c) || (c >= 'a' && c <= 'z'); }

UnicodeString from_utf8(std::string_view text) {
  return UnicodeString::fromUTF8(icu::StringPiece(text.data(), static_cast<std::int32_t>(text.size())));
}

/// What a name means, nothing if it is none.
std::optional<UnicodeString> named(std::string_view name) {
  const auto* found = std::lower_bound(std::begin(kEntities), std::end(kEntities), name,
                                       [](const Entity& entity, std::string_view key) { return entity.name < key; });
  if (found == std::end(kEntities) || found->name != name) return std::nullopt;
  return from_utf8(found->text);
}

/// What a number means: as HTML 5 says, but that controls and noncharacters are left out, as Python does.
UnicodeString numbered(std::uint32_t value) {
  if (value == 0 || (value >= 0xD800 && value <= 0xDFFF) || value >= kBeyondUnicode)
    return UnicodeString(char16_t{0xFFFD});
  if (value >= 0x80 && value <= 0x9F) return UnicodeString(static_cast<UChar32>(windows_1252(value)));
  const bool control = value <= 0x08 || value == 0x0B || (value >= 0x0E && value <= 0x1F) || value == 0x7F;
  if (control || (value >= 0xFDD0 && value <= 0xFDEF) || (value & 0xFFFE) == 0xFFFE) return {};
  return UnicodeString(static_cast<UChar32>(value));
}

/// A reference that begins at an '&': where it ends, and what it stands for.
struct Reference {
  std::int32_t end;
  UnicodeString text;
};

/// "&#65;", "&#x41;", the semicolon being optional.
std::optional<Reference> numeric_at(const UnicodeString& text, std::int32_t at) {
  std::int32_t i = at + 2;
  const bool hex = text.charAt(i) == 'x' || text.charAt(i) == 'X';
  if (hex) ++i;
  const std::int32_t first = i;
  std::uint32_t value = 0;
  for (; hex ? is_hex_digit(text.charAt(i)) : is_digit(text.charAt(i)); ++i) {
    const char16_t c = text.charAt(i);
    const auto digit = static_cast<std::uint32_t>(is_digit(c) ? c - '0' : (c | 0x20) - 'a' + 10);
    value = std::min(value * (hex ? 16 : 10) + digit, kBeyondUnicode);
  }
  if (i == first) return std::nullopt;
  if (text.charAt(i) == ';') ++i;
  return Reference{i, numbered(value)};
}

/// "&copy;" or, without semicolon, the longest name that what follows begins with.
std::optional<Reference> named_at(const UnicodeString& text, std::int32_t at) {
  // Every name is ASCII, so that the search may end at the first other character; but Python reads on to find the
  // end of what it replaces, which changes nothing, since what follows the name stays.
  std::string name;
  std::int32_t i = at + 1;
  while (is_alphanumeric(text.charAt(i)) && i - at - 1 < kLongestName) name += static_cast<char>(text.charAt(i++));
  if (text.charAt(i) == ';') {
    if (auto found = named(name + ';')) return Reference{i + 1, std::move(*found)};
  }
  for (; name.size() > 1; name.pop_back())
    if (auto found = named(name)) return Reference{at + 1 + static_cast<std::int32_t>(name.size()), std::move(*found)};
  return std::nullopt;
}

std::optional<Reference> reference_at(const UnicodeString& text, std::int32_t at) {
  return text.charAt(at + 1) == '#' ? numeric_at(text, at) : named_at(text, at);
}

std::optional<Reference> terminated_at(const UnicodeString& text, std::int32_t at) {
  const bool number = text.charAt(at + 1) == '#';
  const std::int32_t first = at + (number ? 2 : 1);
  std::int32_t end = first;
  bool capitals = true;
  for (; is_alphanumeric(text.charAt(end)); ++end) capitals &= is_upper(text.charAt(end)) || is_digit(text.charAt(end));
  const std::int32_t length = end - first;
  if (length < 1 || length > kLongestTerminatedName || text.charAt(end) != ';') return std::nullopt;
  ++end;
  const auto found = reference_at(text, at);
  if (number) return found && found->end == end && found->text != UnicodeString(u';') ? found : std::nullopt;
  if (found) return found->end == end ? found : std::nullopt;
  if (!capitals) return std::nullopt;
  std::string name;
  text.tempSubStringBetween(first, end).toLower(icu::Locale::getRoot()).toUTF8String(name);
  auto lower = named(name);
  if (!lower) return std::nullopt;
  return Reference{end, lower->toUpper(icu::Locale::getRoot())};
}

template <typename Find>
UnicodeString resolve(const UnicodeString& text, Find find) {
  std::int32_t at = text.indexOf(u'&');
  if (at < 0) return text;
  UnicodeString out;
  std::int32_t done = 0;
  while (at >= 0) {
    const auto found = find(text, at);
    if (found) {
      out.append(text, done, at - done).append(found->text);
      done = found->end;
    }
    at = text.indexOf(u'&', found ? done : at + 1);
  }
  return out.append(text, done, text.length() - done);
}

}  // namespace

UnicodeString unescape_html(const UnicodeString& text) { return resolve(text, reference_at); }
UnicodeString unescape_terminated(const UnicodeString& text) { return resolve(text, terminated_at); }

char32_t windows_1252(char32_t c) {
  static constexpr std::array<char16_t, 32> kCharacters = {
      0x20AC, 0x81,   0x201A, 0x0192, 0x201E, 0x2026, 0x2020, 0x2021, 0x02C6, 0x2030, 0x0160,
      0x2039, 0x0152, 0x8D,   0x017D, 0x8F,   0x90,   0x2018, 0x2019, 0x201C, 0x201D, 0x2022,
      0x2013, 0x2014, 0x02DC, 0x2122, 0x0161, 0x203A, 0x0153, 0x9D,   0x017E, 0x0178};
  return c >= 0x80 && c <= 0x9F ? kCharacters[c - 0x80] : c;
}

}  // namespace cbir::text
