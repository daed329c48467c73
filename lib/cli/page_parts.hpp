#pragma once
/// What all our HTML pages have in common: head, end, and how numbers, facts and paths are written.

#include <cstdint>
#include <string>
#include <string_view>

namespace cbir {

/// Up to and with <body>. Of scripts `script` alone can run, and nothing is loaded, whatever a file name holds.
std::string page_head(const std::string& title, std::string_view style, std::string_view script);
/// The script, and what ends the page.
std::string page_end(std::string_view script);

/// "12,345,678"
std::string grouped(std::uint64_t number);

/// A term and what it is, in a <dl>. `value` is HTML.
std::string fact_html(std::string_view term, std::string_view value);

/// The file's own name, and on a line below it the folder, whose end matters more than its beginning.
std::string path_html(const std::string& path);

/// A text in the place of a picture. `heading` is its id as a heading; empty: it is none.
std::string words_html(const std::string& text, const std::string& heading);

}  // namespace cbir
