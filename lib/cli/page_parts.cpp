#include "page_parts.hpp"

#include <fmt/format.h>

#include <cbir/base/hash.hpp>
#include <cbir/base/text.hpp>

namespace cbir {
namespace {

/// As a Content-Security-Policy names a script.
std::string script_hash(std::string_view script) {
  const std::string digits = sha256(script);
  std::string bytes;
  for (std::size_t i = 0; i < digits.size(); i += 2)
    bytes += static_cast<char>(std::stoi(digits.substr(i, 2), nullptr, 16));
  return base64_encode(bytes);
}

constexpr std::size_t kLongText = 60;  // bytes; longer ones are set smaller

}  // namespace

std::string page_head(const std::string& title, std::string_view style, std::string_view script) {
  return fmt::format(
      "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; img-src data:; style-src "
      "'unsafe-inline'; script-src 'sha256-{}'\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<meta name=\"generator\" "
      "content=\"cbir\">\n<title>{}</title>\n<link rel=\"icon\" href=\"data:,\">\n<style>\n{}</style>\n</head>\n"
      "<body>\n",
      script_hash(script), html_escape(title), style);
}

std::string page_end(std::string_view script) { return fmt::format("<script>{}</script>\n</body>\n</html>\n", script); }

std::string grouped(std::uint64_t number) {
  const std::string digits = std::to_string(number);
  std::string text;
  for (std::size_t i = 0; i < digits.size(); ++i) {
    if (i > 0 && (digits.size() - i) % 3 == 0) text += ',';
    text += digits[i];
  }
  return text;
}

std::string fact_html(std::string_view term, std::string_view value) {
  return fmt::format("<div><dt>{}</dt><dd>{}</dd></div>\n", term, value);
}

std::string path_html(const std::string& path) {
  const std::size_t name = path.rfind('/') + 1;  // 0 if there is no slash
  const std::string file = fmt::format("<span class=\"name\">{}</span>", html_escape(path.substr(name)));
  if (name <= 1) return file;
  return file + fmt::format("<span class=\"folder\"><bdi>{}</bdi></span>", html_escape(path.substr(0, name - 1)));
}

std::string words_html(const std::string& text, const std::string& heading) {
  const std::string_view size = text.size() > kLongText ? " long" : "";
  const std::string tag = heading.empty() ? "p" : "h2", id = heading.empty() ? "" : fmt::format(" id=\"{}\"", heading);
  return fmt::format("<div class=\"words{0}\" title=\"{3}\"><{1}{2} dir=\"auto\">{3}</{1}></div>", size, tag, id,
                     html_escape(text));
}

}  // namespace cbir
