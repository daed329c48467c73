#pragma once
/// Text as the toolkit's formats need it. Paths are byte strings: they may hold newlines and need not be UTF-8.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace cbir {

/// Whether `text` is well-formed UTF-8 (RFC 3629: no surrogates, no overlong forms).
bool is_utf8(std::string_view text);

/// A path for a message: as it is when it is printable UTF-8, else shell-quoted as $'a\nb\xff'.
std::string display_path(std::string_view path);

/// A TSV field: backslash, tab, newline and CR as \\ \t \n \r; bytes that are not UTF-8 as \xHH.
std::string tsv_escape(std::string_view field);

/// The inverse of tsv_escape; an unknown escape is kept as it stands.
std::string tsv_unescape(std::string_view field);

/// RFC 3986 percent-encoding of everything but unreserved characters and '/'; used for ids in TREC files.
std::string percent_encode(std::string_view text);
std::string percent_decode(std::string_view text);

/// RFC 4648 base64 with padding.
std::string base64_encode(std::string_view bytes);
/// Throws DamagedFile on anything that is not canonical base64.
std::string base64_decode(std::string_view text);

/// For text and double-quoted attributes of HTML. Bytes that are not UTF-8 become U+FFFD.
std::string html_escape(std::string_view text);

/// Orders runs of digits by value and everything else by byte ("img2" before "img10"); a total order:
/// strings that differ only in leading zeros are ordered by byte.
bool natural_less(std::string_view a, std::string_view b);

/// Shell-style match: `*` (not '/'), `**` (anything), `?`, `[a-z]`, `[!a]`, backslash escapes. A pattern without '/'
/// is matched against the last component of the path, any other against the whole path.
bool glob_match(std::string_view pattern, std::string_view path);

/// "18.8 MB": decimal units, three digits.
std::string human_bytes(std::uint64_t bytes);

/// "3 images", "1 image".
std::string counted(std::uint64_t count, std::string_view singular);

std::string to_hex(std::string_view bytes);

std::vector<std::string_view> split(std::string_view text, char separator);

/// Parses the whole of `text` as a decimal number; false if it is not one or does not fit.
bool parse_number(std::string_view text, std::uint64_t& value);
bool parse_number(std::string_view text, double& value);

}  // namespace cbir
