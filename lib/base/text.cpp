#include <cbir/base/text.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

#include <cbir/base/error.hpp>

namespace cbir {
namespace {

constexpr std::string_view kHexDigits = "0123456789abcdef";

/// Length of the well-formed UTF-8 sequence at the start of `text`, 0 if there is none (RFC 3629, table 3-7 of
/// Unicode).
std::size_t utf8_sequence(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const auto continues = [&](std::size_t i, unsigned low = 0x80, unsigned high = 0xBF) {
    return i < text.size() && byte(i) >= low && byte(i) <= high;
  };
  if (text.empty()) return 0;
  const unsigned lead = byte(0);
  if (lead < 0x80) return 1;
  if (lead < 0xC2) return 0;
  if (lead < 0xE0) return continues(1) ? 2 : 0;
  if (lead < 0xF0) {
    const unsigned low = lead == 0xE0 ? 0xA0 : 0x80, high = lead == 0xED ? 0x9F : 0xBF;
    return continues(1, low, high) && continues(2) ? 3 : 0;
  }
  if (lead < 0xF5) {
    const unsigned low = lead == 0xF0 ? 0x90 : 0x80, high = lead == 0xF4 ? 0x8F : 0xBF;
    return continues(1, low, high) && continues(2) && continues(3) ? 4 : 0;
  }
  return 0;
}

/// Calls `character` with each well-formed sequence and `stray` with each byte that belongs to none.
template <typename Character, typename Stray>
void for_each_utf8(std::string_view text, Character character, Stray stray) {
  while (!text.empty()) {
    const std::size_t length = utf8_sequence(text);
    if (length == 0) stray(static_cast<unsigned char>(text.front()));
    else character(text.substr(0, length));
    text.remove_prefix(std::max<std::size_t>(length, 1));
  }
}

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

void append_hex(std::string& out, unsigned char byte) {
  out += kHexDigits[byte >> 4];
  out += kHexDigits[byte & 15];
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }

/// C0 and C1 control characters: a terminal may act on them.
bool is_control(std::string_view character) {
  const auto first = static_cast<unsigned char>(character[0]);
  return first < 0x20 || first == 0x7F ||
         (character.size() == 2 && first == 0xC2 && static_cast<unsigned char>(character[1]) < 0xA0);
}

}  // namespace

bool is_utf8(std::string_view text) {
  bool sound = true;
  for_each_utf8(
      text, [](std::string_view) {}, [&](unsigned char) { sound = false; });
  return sound;
}

std::string display_path(std::string_view path) {
  if (path.empty()) return "''";
  bool plain = true;
  std::string quoted = "$'";
  const auto escape = [&](unsigned char byte) {
    plain = false;
    if (byte == '\n') quoted += "\\n";
    else if (byte == '\t') quoted += "\\t";
    else if (byte == '\r') quoted += "\\r";
    else {
      quoted += "\\x";
      append_hex(quoted, byte);
    }
  };
  for_each_utf8(
      path,
      [&](std::string_view character) {
        if (is_control(character)) {
          for (const char byte : character) escape(static_cast<unsigned char>(byte));
        } else {
          if (character == "'" || character == "\\") quoted += '\\';
          quoted += character;
        }
      },
      escape);
  return plain ? std::string(path) : quoted + "'";
}

std::string tsv_escape(std::string_view field) {
  std::string out;
  out.reserve(field.size());
  const auto escape = [&](unsigned char byte) {
    out += "\\x";
    append_hex(out, byte);
  };
  for_each_utf8(
      field,
      [&](std::string_view character) {
        if (character == "\\") out += "\\\\";
        else if (character == "\t") out += "\\t";
        else if (character == "\n") out += "\\n";
        else if (character == "\r") out += "\\r";
        else if (is_control(character)) std::ranges::for_each(character, escape);
        else out += character;
      },
      escape);
  return out;
}

std::string tsv_unescape(std::string_view field) {
  std::string out;
  out.reserve(field.size());
  for (std::size_t i = 0; i < field.size(); ++i) {
    const std::string_view rest = field.substr(i);
    if (rest.starts_with("\\\\")) out += '\\', ++i;
    else if (rest.starts_with("\\t")) out += '\t', ++i;
    else if (rest.starts_with("\\n")) out += '\n', ++i;
    else if (rest.starts_with("\\r")) out += '\r', ++i;
    else if (rest.starts_with("\\x") && rest.size() >= 4 && hex_value(rest[2]) >= 0 && hex_value(rest[3]) >= 0) {
      out += static_cast<char>(hex_value(rest[2]) * 16 + hex_value(rest[3]));
      i += 3;
    } else out += field[i];
  }
  return out;
}

std::string percent_encode(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const bool unreserved = is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                            std::string_view("-._~/").find(c) != std::string_view::npos;
    if (unreserved) {
      out += c;
    } else {
      out += '%';
      const auto byte = static_cast<unsigned char>(c);
      out += "0123456789ABCDEF"[byte >> 4];
      out += "0123456789ABCDEF"[byte & 15];
    }
  }
  return out;
}

std::string percent_decode(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 2 < text.size() && hex_value(text[i + 1]) >= 0 && hex_value(text[i + 2]) >= 0) {
      out += static_cast<char>(hex_value(text[i + 1]) * 16 + hex_value(text[i + 2]));
      i += 2;
    } else {
      out += text[i];
    }
  }
  return out;
}

namespace {
constexpr std::string_view kBase64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
}

std::string base64_encode(std::string_view bytes) {
  std::string out;
  out.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const std::size_t count = std::min<std::size_t>(3, bytes.size() - i);
    std::uint32_t group = 0;
    for (std::size_t j = 0; j < 3; ++j)
      group = group << 8 | (j < count ? static_cast<unsigned char>(bytes[i + j]) : 0U);
    for (std::size_t j = 0; j < 4; ++j) out += j <= count ? kBase64[group >> (18 - 6 * j) & 63] : '=';
  }
  return out;
}

std::string base64_decode(std::string_view text) {
  const auto fail = [&]() -> std::string {
    throw DamagedFile(fmt::format("not base64: {}", display_path(text.substr(0, 40))));
  };
  if (text.size() % 4 != 0) return fail();
  std::string out;
  for (std::size_t i = 0; i < text.size(); i += 4) {
    std::uint32_t group = 0;
    std::size_t padding = 0;
    for (std::size_t j = 0; j < 4; ++j) {
      const char c = text[i + j];
      const std::size_t value = kBase64.find(c);
      if (c == '=' && i + 4 == text.size() && j >= 2) ++padding;
      else if (value == std::string_view::npos || padding > 0) return fail();
      group = group << 6 | static_cast<std::uint32_t>(c == '=' ? 0 : value);
    }
    for (std::size_t j = 0; j < 3 - padding; ++j) out += static_cast<char>(group >> (16 - 8 * j) & 0xFF);
  }
  if (base64_encode(out) != text) return fail();
  return out;
}

std::string html_escape(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for_each_utf8(
      text,
      [&](std::string_view character) {
        if (character == "&") out += "&amp;";
        else if (character == "<") out += "&lt;";
        else if (character == ">") out += "&gt;";
        else if (character == "\"") out += "&quot;";
        else if (character == "'") out += "&#39;";
        else out += character;
      },
      [&](unsigned char) { out += "\xEF\xBF\xBD"; });
  return out;
}

bool natural_less(std::string_view a, std::string_view b) {
  std::size_t i = 0, j = 0;
  const auto run = [](std::string_view text, std::size_t& at) {  // a run of digits without its leading zeros
    std::size_t end = at;
    while (end < text.size() && is_digit(text[end])) ++end;
    while (at + 1 < end && text[at] == '0') ++at;
    const std::string_view digits = text.substr(at, end - at);
    at = end;
    return digits;
  };
  while (i < a.size() && j < b.size()) {
    if (is_digit(a[i]) && is_digit(b[j])) {
      const std::string_view x = run(a, i), y = run(b, j);
      if (x.size() != y.size()) return x.size() < y.size();
      if (x != y) return x < y;
    } else if (a[i] != b[j]) {
      return static_cast<unsigned char>(a[i]) < static_cast<unsigned char>(b[j]);
    } else {
      ++i, ++j;
    }
  }
  if (i < a.size() || j < b.size()) return j < b.size();
  return a < b;
}

namespace {

/// Whether the set at `pattern` ("[a-z]") holds c; moves `pattern` behind it. A '[' that is never closed is a plain
/// '['.
bool match_set(std::string_view& pattern, char c) {
  std::size_t i = 1;
  const bool negated = i < pattern.size() && (pattern[i] == '!' || pattern[i] == '^');
  if (negated) ++i;
  bool found = false;
  for (const std::size_t first = i; i < pattern.size() && (pattern[i] != ']' || i == first); ++i) {
    const char low = pattern[i];
    char high = low;
    if (i + 2 < pattern.size() && pattern[i + 1] == '-' && pattern[i + 2] != ']') high = pattern[i += 2];
    found |= c >= low && c <= high;
  }
  if (i >= pattern.size()) {
    pattern.remove_prefix(1);
    return c == '[';
  }
  pattern.remove_prefix(i + 1);
  return found != negated && c != '/';
}

bool match_here(std::string_view pattern, std::string_view text) {
  while (!pattern.empty()) {
    if (pattern[0] == '*') {
      const bool deep = pattern.starts_with("**");
      std::string_view rest = pattern.substr(
          pattern.find_first_not_of('*') == std::string_view::npos ? pattern.size() : pattern.find_first_not_of('*'));
      if (deep && rest.starts_with('/') && match_here(rest.substr(1), text)) return true;  // "**/x" matches "x"
      for (std::size_t i = 0;; ++i) {
        if (match_here(rest, text.substr(i))) return true;
        if (i == text.size() || (!deep && text[i] == '/')) return false;
      }
    }
    if (text.empty()) return false;
    if (pattern[0] == '[') {
      if (!match_set(pattern, text[0])) return false;
    } else if (pattern[0] == '?') {
      if (text[0] == '/') return false;
      pattern.remove_prefix(1);
    } else {
      if (pattern[0] == '\\' && pattern.size() > 1) pattern.remove_prefix(1);
      if (pattern[0] != text[0]) return false;
      pattern.remove_prefix(1);
    }
    text.remove_prefix(1);
  }
  return text.empty();
}

}  // namespace

bool glob_match(std::string_view pattern, std::string_view path) {
  if (pattern.find('/') == std::string_view::npos) path.remove_prefix(path.rfind('/') + 1);
  return match_here(pattern, path);
}

std::string human_bytes(std::uint64_t bytes) {
  constexpr std::array units = {"B", "kB", "MB", "GB", "TB", "PB", "EB"};
  auto value = static_cast<double>(bytes);
  std::size_t unit = 0;
  while (value >= 999.5 && unit + 1 < units.size()) value /= 1000, ++unit;
  if (unit == 0) return fmt::format("{} B", bytes);
  const int decimals = value < 9.995 ? 2 : value < 99.95 ? 1 : 0;
  return fmt::format("{:.{}f} {}", value, decimals, units[unit]);
}

std::string counted(std::uint64_t count, std::string_view singular) {
  return fmt::format("{} {}{}", count, singular, count == 1 ? "" : "s");
}

std::string to_hex(std::string_view bytes) {
  std::string out;
  out.reserve(bytes.size() * 2);
  for (const char c : bytes) append_hex(out, static_cast<unsigned char>(c));
  return out;
}

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  for (;;) {
    const std::size_t end = text.find(separator);
    parts.push_back(text.substr(0, end));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

namespace {
template <typename T>
bool parse_whole(std::string_view text, T& value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size();
}
}  // namespace

bool parse_number(std::string_view text, std::uint64_t& value) { return parse_whole(text, value); }
bool parse_number(std::string_view text, double& value) { return parse_whole(text, value); }

}  // namespace cbir
