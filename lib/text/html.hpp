#pragma once
/// Character references of HTML 5 ("&amp;", "&#39;", "&copy"), as two Python libraries resolve them.

#include <unicode/unistr.h>

namespace cbir::text {

/// Python's html.unescape: names with or without a semicolon (the longest that is one), numbers; what is none stays.
icu::UnicodeString unescape_html(const icu::UnicodeString& text);

/// ftfy's unescape_html: only references with a semicolon; also names in capitals ("&EACUTE;") that HTML 5 lacks.
icu::UnicodeString unescape_terminated(const icu::UnicodeString& text);

/// Windows-1252's character for U+0080 to U+009F; other characters, and the five that it lacks, as they are.
char32_t windows_1252(char32_t c);

}  // namespace cbir::text
