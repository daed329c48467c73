#include "picture_page.hpp"

#include <fmt/format.h>

#include "page.hpp"

namespace cbir {

void PicturePage::begin(std::string_view heading, const std::string& subject, const Facts& facts,
                        std::string_view first, std::string_view anchor) {
  out_.write(page_head(fmt::format("{} · {}", heading, subject), page::kStyle, page::kScript));
  out_.write(fmt::format("<a class=\"skip\" href=\"#{}\">To the first {}</a>\n<header>\n<h1>{}</h1>\n<dl>\n", anchor,
                         first, heading));
  for (const auto& [term, value] : facts) out_.write(fact_html(term, value));
  out_.write("</dl>\n</header>\n<main>\n");
}

void PicturePage::finish(const std::string& totals, std::string_view keys) {
  out_.write(fmt::format("</main>\n<footer><span>{}</span><span class=\"keys\">{}</span></footer>\n", totals, keys));
  out_.write(page_end(page::kScript));
  pictures_.warn();
}

}  // namespace cbir
