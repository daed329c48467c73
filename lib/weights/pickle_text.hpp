#pragma once
/// What pickle protocol 0 writes as lines of text: numbers and strings with escapes. (Lib/pickletools.py describes
/// them.)

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace cbir::pickle {

/// "17" or "17L"; nothing if it is no number, or does not fit.
std::optional<std::int64_t> parse_integer(std::string_view line);

/// Python 2's repr of a str, quotes included: the bytes. Nothing if it is none.
std::optional<std::string> unquote(std::string_view line);

/// Raw-unicode-escape: bytes are Latin-1, \uXXXX and \UXXXXXXXX code points. Returns UTF-8; nothing for a code point
/// that does not exist. (A surrogate pair stays one code point cut in two, and is refused.)
std::optional<std::string> decode_raw_unicode(std::string_view line);

/// A code point as UTF-8.
void append_utf8(std::string& text, std::uint32_t code_point);

}  // namespace cbir::pickle
