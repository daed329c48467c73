#include <cbir/base/excerpt.hpp>

#include <cbir/base/text.hpp>

namespace cbir {

std::string excerpt(std::string_view text) {
  constexpr std::size_t kMost = 80;
  std::string_view begin = text.substr(0, kMost);
  // Not through the middle of a character, whose bytes but the first are 10xxxxxx.
  if (begin.size() < text.size())
    while (!begin.empty() && (static_cast<unsigned char>(text[begin.size()]) & 0xC0U) == 0x80U &&
           kMost - begin.size() < 4)
      begin.remove_suffix(1);
  std::string shown = display_path(begin);
  if (shown == begin) shown = '"' + shown + '"';
  return begin.size() < text.size() ? shown + "..." : shown;
}

}  // namespace cbir
