#pragma once
/// Pictures of one colour.

#include <array>
#include <string>

#include <cbir/base/file.hpp>
#include <cbir/image/image.hpp>

using Colour = std::array<std::uint8_t, 3>;
inline constexpr Colour kRed = {220, 20, 20}, kGreen = {20, 200, 40}, kBlue = {30, 30, 230}, kPink = {230, 120, 120};

inline void write_picture(const std::string& path, const Colour& colour) {
  cbir::Image image(16, 16);
  for (std::size_t i = 0; i < image.data.size(); ++i) image.data[i] = colour[i % 3];
  cbir::make_directories(cbir::parent_path(path));
  cbir::write_file(path, cbir::as_text(cbir::encode_jpeg(image, 95)), true);
}
