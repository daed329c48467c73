#include <cbir/extract/boxes.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <unordered_set>

#include <cbir/base/error.hpp>
#include <cbir/base/file.hpp>
#include <cbir/base/text.hpp>
#include <cbir/extract/listing.hpp>

namespace cbir {

std::optional<PixelBox> pixels_of(const Box& box, int width, int height) {
  const auto edge = [](double at, int end) {  // nearbyint: halves to even
    return static_cast<int>(std::nearbyint(std::clamp(at, 0.0, static_cast<double>(end))));
  };
  const PixelBox out{.left = edge(box.x1, width),
                     .top = edge(box.y1, height),
                     .right = edge(box.x2, width),
                     .bottom = edge(box.y2, height)};
  if (out.left >= out.right || out.top >= out.bottom) return {};
  return out;
}

Listing parse_boxes(std::string_view text, const std::string& name, const std::string& folder) {
  Listing listing;
  std::unordered_set<std::string> seen;
  std::size_t number = 0;
  for (std::string_view line : split(text, '\n')) {
    ++number;
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.empty()) continue;
    const auto fail = [&](const std::string& what) {
      throw DamagedFile(fmt::format("{}, line {}: {}; expected id, path, x1, y1, x2, y2 between tabs",
                                    display_path(name), number, what));
    };
    const std::vector<std::string_view> fields = split(line, '\t');
    if (fields.size() < 6) fail(fmt::format("found {}", counted(fields.size(), "column")));
    std::array<double, 4> corners{};
    for (std::size_t i = 0; i < corners.size(); ++i)
      if (!parse_number(fields[i + 2], corners[i]) || !std::isfinite(corners[i]))
        fail(fmt::format("found '{}' where a number of pixels belongs", display_path(fields[i + 2])));
    std::string id = tsv_unescape(fields[0]), path = tsv_unescape(fields[1]);
    if (id.empty() || path.empty()) fail("id or path is empty");
    if (!seen.insert(id).second) fail(fmt::format("the id {} stands twice", display_path(id)));
    if (!folder.empty() && !path.starts_with('/')) path = folder + (folder.ends_with('/') ? "" : "/") + path;
    listing.files.push_back({.path = find_picture(path),
                             .named = true,
                             .problem = {},
                             .id = std::move(id),
                             .box = Box{corners[0], corners[1], corners[2], corners[3]}});
  }
  if (listing.files.empty()) throw MissingInput(fmt::format("{}: names no box", display_path(name)));
  return listing;
}

Listing read_boxes(const std::string& path, const std::string& folder) {
  return parse_boxes(read_text(path), path == "-" ? "standard input" : path, folder);
}

}  // namespace cbir
