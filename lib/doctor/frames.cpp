/// Attacks that put something around the picture: border, collage, screenshot.

#include <array>
#include <opencv2/imgproc.hpp>
#include <string>

#include "canvas.hpp"
#include "parts.hpp"

namespace cbir {

Image border_attack(const Image& image, Strength strength, Random& random) {
  const std::array<Colour, 6> colours = {Colour(0, 0, 0),    Colour(255, 255, 255), Colour(128, 128, 128),
                                         Colour(96, 16, 16), Colour(24, 40, 96),    Colour(232, 200, 64)};
  const Colour colour = colours[random.below(colours.size())];
  const int width = scaled(short_side(image), by_strength(strength, 0.04, 0.08, 0.16));
  Image framed(image.width + 2 * width, image.height + 2 * width);
  cv::copyMakeBorder(view(image), view(framed), width, width, width, width, cv::BORDER_CONSTANT, colour);
  return framed;
}

/// Drawings stand for the other pictures: photographs would make a copy depend on what else there is, and might be
/// originals themselves.
Image collage_attack(const Image& image, Strength strength, Random& random) {
  const bool wide = image.width > image.height;
  const int columns = by_strength(strength, wide ? 1 : 2, 2, 3), rows = by_strength(strength, wide ? 2 : 1, 2, 3);
  const double factor = by_strength(strength, 1.0, 0.6, 0.5);
  const int width = scaled(image.width, factor), height = scaled(image.height, factor);
  const int gap = static_cast<int>(std::lround(0.03 * std::min(width, height)));
  const auto own = static_cast<int>(random.below(static_cast<std::size_t>(columns * rows)));
  Canvas canvas(columns * width + (columns + 1) * gap, rows * height + (rows + 1) * gap,
                grey_of(random.below(2) == 1 ? 255 : 20));
  for (int tile = 0; tile < columns * rows; ++tile) {
    const cv::Rect place(gap + tile % columns * (width + gap), gap + tile / columns * (height + gap), width, height);
    canvas.picture(tile == own ? view(image) : draw_scene(place.size(), random), place);
  }
  return to_image(canvas.pixels());
}

namespace {

/// Colours of a program's surface.
struct Theme {
  Colour page, bar, line, ink, faint;
};

Theme draw_theme(Random& random) {
  const Theme light{grey_of(255), {232, 234, 238}, grey_of(210), grey_of(40), {150, 154, 160}};
  const Theme dark{{24, 26, 30}, {44, 46, 52}, grey_of(70), grey_of(230), {120, 124, 132}};
  return random.below(2) == 1 ? light : dark;
}

/// Lines of text that nobody reads.
void draw_lines(Canvas& canvas, const cv::Rect2d& where, double unit, const Colour& colour, Random& random) {
  for (double y = where.y; y + unit <= where.y + where.height; y += 2 * unit)
    canvas.pill({where.x, y, where.width * random.between(0.55, 1), 0.7 * unit}, colour);
}

/// The title bar of a window, with its three buttons.
void draw_title(Canvas& canvas, double height, const std::string& title, const Theme& theme) {
  canvas.box({0, 0, double(canvas.width()), height}, theme.bar);
  const std::array<Colour, 3> buttons = {Colour(237, 106, 94), Colour(245, 191, 79), Colour(98, 197, 84)};
  for (std::size_t i = 0; i < buttons.size(); ++i)
    canvas.disc({height * (0.55 + 0.6 * double(i)), height / 2}, height * 0.2, buttons[i]);
  const double text = height * 0.32;
  canvas.text(title, std::max(height * 2.4, (canvas.width() - text_width(title, text)) / 2), (height + text) / 2, text,
              theme.ink);
}

/// A viewer's window.
Image viewer_window(const Image& image, double unit, const Theme& theme) {
  const int bar = static_cast<int>(std::lround(2.2 * unit)), edge = std::max(1, static_cast<int>(unit / 6));
  Canvas canvas(image.width + 2 * edge, image.height + bar + edge, theme.line);
  draw_title(canvas, bar, "IMG_2041.jpg", theme);
  canvas.picture(view(image), {edge, bar, image.width, image.height});
  return to_image(canvas.pixels());
}

/// A post on a telephone: clock, author, the picture across, what people make of it.
Image phone_post(const Image& image, double unit, const Theme& theme, Random& random) {
  const int above = static_cast<int>(std::lround(6.5 * unit)), below = static_cast<int>(std::lround(9 * unit));
  Canvas canvas(image.width, above + image.height + below, theme.page);
  const double w = image.width, post = above + image.height;
  canvas.text("12:47", unit, 1.6 * unit, 0.8 * unit, theme.ink);
  canvas.pill({w - 3.2 * unit, 0.8 * unit, 2.2 * unit, 0.9 * unit}, theme.ink);
  canvas.box({0, 2.3 * unit, w, std::max(1.0, unit / 12)}, theme.line);
  canvas.disc({2.4 * unit, 4.4 * unit}, 1.4 * unit, {72, 118, 214});
  canvas.text("sunny.days", 4.6 * unit, 4.3 * unit, 0.85 * unit, theme.ink);
  canvas.pill({4.6 * unit, 5 * unit, 5 * unit, 0.6 * unit}, theme.faint);
  canvas.picture(view(image), {0, above, image.width, image.height});
  for (int i = 0; i < 3; ++i) canvas.disc({(1.8 + 2.6 * i) * unit, post + 1.8 * unit}, 0.8 * unit, theme.ink);
  for (int i = 0; i < 3; ++i) canvas.disc({(1.8 + 2.6 * i) * unit, post + 1.8 * unit}, 0.55 * unit, theme.page);
  canvas.text("1,204 likes", unit, post + 4.5 * unit, 0.85 * unit, theme.ink);
  draw_lines(canvas, {unit, post + 5.5 * unit, w - 2 * unit, 3 * unit}, unit, theme.faint, random);
  return to_image(canvas.pixels());
}

/// A page in a browser; the picture takes about a third of it.
Image browser_page(const Image& image, double unit, const Theme& theme, Random& random) {
  const int title = static_cast<int>(std::lround(2.6 * unit)), head = 2 * title;
  const int side = scaled(image.width, 0.45), margin = static_cast<int>(std::lround(1.5 * unit));
  const int below = scaled(image.height, 0.4);
  Canvas canvas(image.width + side + 3 * margin, head + image.height + below + 2 * margin, theme.page);
  const double w = canvas.width(), h = canvas.height();
  draw_title(canvas, title, "Photo of the day", theme);
  canvas.box({0, double(title), w, double(title)}, theme.bar);
  canvas.pill({3 * unit, title + 0.4 * unit, w - 5 * unit, title - 0.8 * unit}, theme.page);
  canvas.text("example.com/photos/2041", 4.2 * unit, title + 1.7 * unit, 0.8 * unit, theme.faint);
  canvas.picture(view(image), {margin, head + margin, image.width, image.height});
  const double text = head + margin + image.height + unit;
  draw_lines(canvas, {double(margin), text, double(image.width), h - margin - text}, unit, theme.faint, random);
  const double column = 2.0 * margin + image.width;
  canvas.box({column, double(head + margin), double(side), 0.3 * image.height}, {72, 118, 214});
  canvas.text("SALE", column + unit, head + margin + 0.2 * image.height, std::min(1.5 * unit, 0.2 * image.height),
              grey_of(255));
  const double list = head + 2 * margin + 0.3 * image.height;
  draw_lines(canvas, {column, list, double(side), h - margin - list}, unit, theme.faint, random);
  return to_image(canvas.pixels());
}

}  // namespace

Image screenshot_attack(const Image& image, Strength strength, Random& random) {
  const double unit = std::max(1.0, 0.03 * (image.width + image.height) / 2);
  const Theme theme = draw_theme(random);
  if (strength == Strength::light) return viewer_window(image, unit, theme);
  return strength == Strength::medium ? phone_post(image, unit, theme, random)
                                      : browser_page(image, unit, theme, random);
}

}  // namespace cbir
