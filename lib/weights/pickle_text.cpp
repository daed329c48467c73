#include "pickle_text.hpp"

#include <charconv>

namespace cbir::pickle {
namespace {

/// All of `digits` as a hexadecimal number.
std::optional<std::uint32_t> parse_hex(std::string_view digits) {
  std::uint32_t value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value, 16);
  if (error != std::errc{} || end != digits.data() + digits.size()) return {};
  return value;
}

std::optional<char> simple_escape(char c) {
  switch (c) {
    case '\\':
    case '\'':
    case '"':
      return c;
    case 'n':
      return '\n';
    case 'r':
      return '\r';
    case 't':
      return '\t';
    case 'a':
      return '\a';
    case 'b':
      return '\b';
    case 'f':
      return '\f';
    case 'v':
      return '\v';
    default:
      return {};
  }
}

}  // namespace

std::optional<std::int64_t> parse_integer(std::string_view line) {
  if (line.ends_with('L')) line.remove_suffix(1);
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(line.data(), line.data() + line.size(), value);
  if (error != std::errc{} || end != line.data() + line.size()) return {};
  return value;
}

std::optional<std::string> unquote(std::string_view line) {
  if (line.size() < 2 || line.front() != line.back() || (line.front() != '\'' && line.front() != '"')) return {};
  line = line.substr(1, line.size() - 2);
  std::string text;
  for (std::size_t i = 0; i < line.size(); ++i) {
    if (line[i] != '\\') {
      text += line[i];
      continue;
    }
    if (++i == line.size()) return {};
    if (line[i] == 'x') {
      const auto byte = i + 3 <= line.size() ? parse_hex(line.substr(i + 1, 2)) : std::nullopt;
      if (!byte) return {};
      text += static_cast<char>(*byte);
      i += 2;
    } else if (const auto c = simple_escape(line[i])) {
      text += *c;
    } else {
      return {};
    }
  }
  return text;
}

void append_utf8(std::string& text, std::uint32_t code_point) {
  const auto byte = [&](std::uint32_t value) { text += static_cast<char>(value); };
  const auto rest = [&](int shift) { byte(0x80 | (code_point >> shift & 0x3F)); };
  if (code_point < 0x80) {
    byte(code_point);
  } else if (code_point < 0x800) {
    byte(0xC0 | code_point >> 6);
    rest(0);
  } else if (code_point < 0x10000) {
    byte(0xE0 | code_point >> 12);
    rest(6);
    rest(0);
  } else {
    byte(0xF0 | code_point >> 18);
    rest(12);
    rest(6);
    rest(0);
  }
}

std::optional<std::string> decode_raw_unicode(std::string_view line) {
  std::string text;
  for (std::size_t i = 0; i < line.size(); ++i) {
    const std::size_t digits = line.substr(i).starts_with("\\u") ? 4 : line.substr(i).starts_with("\\U") ? 8 : 0;
    if (digits == 0) {
      append_utf8(text, static_cast<std::uint8_t>(line[i]));
      continue;
    }
    const auto code_point = i + 2 + digits <= line.size() ? parse_hex(line.substr(i + 2, digits)) : std::nullopt;
    if (!code_point || *code_point > 0x10FFFF || (*code_point >= 0xD800 && *code_point < 0xE000)) return {};
    append_utf8(text, *code_point);
    i += 1 + digits;
  }
  return text;
}

}  // namespace cbir::pickle
