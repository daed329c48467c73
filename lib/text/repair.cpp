#include "repair.hpp"

#include <fmt/format.h>
#include <unicode/normalizer2.h>
#include <unicode/uchar.h>

#include <string>
#include <string_view>

#include <cbir/base/error.hpp>

#include "html.hpp"

namespace cbir::text {
namespace {

using icu::UnicodeString;

constexpr int kMostPasses = 32;  // each resolves one level of "&amp;amp;amp;": hostile text must not take minutes

/// An ICU call that fails lacks memory or its data.
void check(UErrorCode status, const char* what) {
  if (U_FAILURE(status)) throw Error(ExitCode::internal, std::string("ICU: ") + what + ": " + u_errorName(status));
}

UnicodeString normalised(const UnicodeString& text, bool compatibility) {
  UErrorCode status = U_ZERO_ERROR;
  const icu::Normalizer2* form =
      compatibility ? icu::Normalizer2::getNFKCInstance(status) : icu::Normalizer2::getNFCInstance(status);
  check(status, "normalisation");
  UnicodeString out = form->normalize(text, status);
  check(status, "normalisation");
  return out;
}

struct Ligature {
  char32_t character;
  std::u16string_view letters;
};

constexpr Ligature kLigatures[] = {
    {0x0132, u"IJ"},      {0x0133, u"ij"}, {0x0149, u"\u02BCn"}, {0x01C4, u"D\u017D"}, {0x01C5, u"D\u017E"},
    {0x01C6, u"d\u017E"}, {0x01C7, u"LJ"}, {0x01C8, u"Lj"},      {0x01C9, u"lj"},      {0x01CA, u"NJ"},
    {0x01CB, u"Nj"},      {0x01CC, u"nj"}, {0x01F1, u"DZ"},      {0x01F2, u"Dz"},      {0x01F3, u"dz"},
    {0xFB00, u"ff"},      {0xFB01, u"fi"}, {0xFB02, u"fl"},      {0xFB03, u"ffi"},     {0xFB04, u"ffl"},
    {0xFB05, u"\u017Ft"}, {0xFB06, u"st"},
};

/// The letters of a Latin ligature or digraph, empty for other characters.
std::u16string_view letters_of(char32_t c) {
  if (c < kLigatures[0].character) return {};
  for (const Ligature& ligature : kLigatures)
    if (ligature.character == c) return ligature.letters;
  return {};
}

/// Straight quotes and plain line ends; other characters as they are.
char32_t plain(char32_t c) {
  if (c == 0x02BC || (c >= 0x2018 && c <= 0x201B)) return '\'';
  if (c >= 0x201C && c <= 0x201F) return '"';
  if (c == '\r' || c == 0x2028 || c == 0x2029) return '\n';
  return c;
}

bool is_removed(char32_t c) {
  const bool control = c <= 0x08 || c == 0x0B || (c >= 0x0E && c <= 0x1F) || c == 0x7F;
  return control || (c >= 0x206A && c <= 0x206F) || c == 0xFEFF || (c >= 0xFFF9 && c <= 0xFFFC);
}

/// Where the terminal escape ("ESC [ 36 ; 44 m") at `at` ends; `at` if there is none.
std::int32_t terminal_escape_end(const UnicodeString& text, std::int32_t at) {
  std::int32_t i = at + 1;
  if (text.charAt(at) != 0x1B || text.charAt(i) != '[') return at;
  ++i;
  while (i < text.length() && (text.charAt(i) == ';' || u_isdigit(text.char32At(i)))) i = text.moveIndex32(i, 1);
  const char16_t last = text.charAt(i) | 0x20;
  return last >= 'a' && last <= 'z' ? i + 1 : at;
}

UnicodeString replace_characters(const UnicodeString& text) {
  UnicodeString out;
  const auto add = [&](char32_t c) { out.append(static_cast<UChar32>(plain(c))); };
  for (std::int32_t i = 0; i < text.length(); i = text.moveIndex32(i, 1)) {
    const char32_t c = windows_1252(static_cast<char32_t>(text.char32At(i)));
    if (const std::u16string_view letters = letters_of(c); !letters.empty()) {
      for (const char16_t letter : letters) add(letter);
    } else if (c == 0x3000) {
      add(' ');
    } else if (c >= 0xFF01 && c <= 0xFFEF) {
      out.append(normalised(UnicodeString(static_cast<UChar32>(c)), true));
    } else {
      add(c);
    }
  }
  return out;
}

UnicodeString remove_controls(const UnicodeString& text) {
  UnicodeString out, kept;
  for (std::int32_t i = 0; i < text.length();) {
    const std::int32_t end = terminal_escape_end(text, i);
    if (end == i) out.append(text.charAt(i++));
    else i = end;
  }
  for (std::int32_t i = 0; i < out.length(); ++i)
    if (!is_removed(out.charAt(i))) kept.append(out.charAt(i));
  return kept;
}

UnicodeString repair_line(UnicodeString text, bool references) {
  for (int pass = 0; pass < kMostPasses; ++pass) {
    UnicodeString repaired = references ? unescape_terminated(text) : text;
    repaired = normalised(remove_controls(replace_characters(repaired)), false);
    if (repaired == text) return text;
    text = repaired;
  }
  throw ResourceLimit(fmt::format("a text with HTML references inside one another, more than {} deep", kMostPasses));
}

}  // namespace

UnicodeString repair(const UnicodeString& text) {
  UnicodeString out;
  bool references = true;  // a '<' says that text is HTML on purpose, for all that follows
  for (std::int32_t at = 0; at < text.length();) {
    const std::int32_t newline = text.indexOf(u'\n', at);
    const std::int32_t end = newline < 0 ? text.length() : newline + 1;
    const UnicodeString line(text, at, end - at);
    references = references && line.indexOf(u'<') < 0;
    out.append(repair_line(line, references));
    at = end;
  }
  return out;
}

}  // namespace cbir::text
