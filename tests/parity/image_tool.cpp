/// The image module for tests in other languages: commands on standard input, one a line, answers on standard output.
///
///   decode white|drop PATH
///   truncated PATH                                     accepts a JPEG that ends too early
///   probe PATH
///   resize FILTER WIDTH HEIGHT PATH
///   window FILTER WIDTH HEIGHT LEFT TOP W H PATH
///
/// An answer is a binary PPM, "probe FORMAT WIDTH HEIGHT ORIENTATION\n", or "error CODE MESSAGE\n".
#include <cstdio>
#include <iostream>
#include <sstream>
#include <string>

#include <cbir/base/file.hpp>
#include <cbir/image/image.hpp>
#include <cbir/image/resize.hpp>

namespace {

cbir::Filter filter_of(const std::string& name) {
  if (name == "nearest") return cbir::Filter::nearest;
  if (name == "box") return cbir::Filter::box;
  if (name == "bilinear") return cbir::Filter::bilinear;
  if (name == "bicubic") return cbir::Filter::bicubic;
  if (name == "lanczos") return cbir::Filter::lanczos;
  throw cbir::UsageError("no such filter: " + name);
}

std::string rest_of(std::istream& line) {
  std::string path;
  std::getline(line >> std::ws, path);
  return path;
}

void write(const cbir::Image& image) {
  std::cout << "P6\n" << image.width << ' ' << image.height << "\n255\n";
  std::cout.write(reinterpret_cast<const char*>(image.data.data()), static_cast<std::streamsize>(image.data.size()));
}

void answer(std::istream& line) {
  std::string command, word;
  line >> command;
  if (command == "probe") {
    const cbir::ImageProbe probe = cbir::probe_image(cbir::read_file(rest_of(line)));
    std::cout << "probe " << to_string(probe.format) << ' ' << probe.width << ' ' << probe.height << ' '
              << probe.orientation << '\n';
  } else if (command == "decode") {
    line >> word;
    cbir::DecodeOptions options;
    options.alpha = word == "drop" ? cbir::Alpha::drop : cbir::Alpha::white;
    write(cbir::decode_image(cbir::read_file(rest_of(line)), options));
  } else if (command == "truncated") {
    cbir::DecodeOptions options;
    options.accept_truncated = true;
    write(cbir::decode_image(cbir::read_file(rest_of(line)), options));
  } else if (command == "resize" || command == "window") {
    int width = 0, height = 0, left = 0, top = 0, w = 0, h = 0;
    line >> word >> width >> height;
    if (command == "window") line >> left >> top >> w >> h;
    const cbir::Image image = cbir::decode_image(cbir::read_file(rest_of(line)));
    write(command == "resize" ? cbir::resize(image, width, height, filter_of(word))
                              : cbir::resize_window(image, width, height, left, top, w, h, filter_of(word)));
  } else {
    throw cbir::UsageError("no such command: " + command);
  }
}

}  // namespace

int main() {
  for (std::string line; std::getline(std::cin, line); std::cout.flush()) {
    try {
      std::istringstream words(line);
      answer(words);
    } catch (const cbir::Error& error) {
      std::cout << "error " << static_cast<int>(error.code()) << ' ' << error.what() << '\n';
    }
  }
  return std::cout ? 0 : 1;
}
