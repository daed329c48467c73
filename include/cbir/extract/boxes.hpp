#pragma once
/// Parts of pictures, each of which becomes a row.

#include <optional>
#include <string>
#include <string_view>

#include <cbir/image/image.hpp>

namespace cbir {

/// In pixels of the upright picture, fractions allowed: from the corner (x1, y1) to the corner (x2, y2).
struct Box {
  double x1 = 0, y1 = 0, x2 = 0, y2 = 0;

  bool operator==(const Box&) const = default;
};

/// The pixels of a box, as Pillow's Image.crop takes them, by which the queries of revisited Oxford and Paris are cut:
/// corners are rounded, halves to the even number, and (x2, y2) is not inside. What lies outside the picture is cut
/// off, where Pillow would put black. Nothing if no pixel is left.
std::optional<PixelBox> pixels_of(const Box& box, int width, int height);

struct Listing;

/// The list of boxes of a file ("-": standard input): lines of id, path, x1, y1, x2, y2 between tabs, more columns
/// ignored, id and path escaped as in all our TSV files. A path that is not absolute lies in `folder`, unless that is
/// empty. One without a picture's extension that leads to no file stands for the file that has one.
/// Throws MissingInput (no file, no line), DamagedFile (columns, numbers, an id that stands twice, naming the line).
Listing read_boxes(const std::string& path, const std::string& folder);
Listing parse_boxes(std::string_view text, const std::string& name, const std::string& folder);

}  // namespace cbir
