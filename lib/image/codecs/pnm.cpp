/// Netpbm's PBM, PGM and PPM, plain and raw (P1 to P6); samples scaled to 255, rounded.
#include <algorithm>

#include "codec.hpp"

namespace cbir::codecs {
namespace {

bool is_space(unsigned c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

class Reader {
 public:
  explicit Reader(Bytes file) : file_(file) {}

  bool at_end() const { return at_ >= file_.size(); }

  unsigned byte() {
    if (at_end()) truncated("PNM", "it ends within its pixels");
    return std::to_integer<unsigned>(file_[at_++]);
  }

  void skip_blanks() {
    while (!at_end()) {
      const unsigned c = peek();
      if (c == '#') {
        while (!at_end() && peek() != '\n' && peek() != '\r') ++at_;
      } else if (is_space(c)) {
        ++at_;
      } else {
        break;
      }
    }
  }

  std::uint64_t number() {
    skip_blanks();
    if (at_end()) truncated("PNM", "it ends where a number should be");
    std::uint64_t value = 0;
    const std::size_t start = at_;
    while (!at_end() && peek() >= '0' && peek() <= '9' && at_ - start < 10) value = value * 10 + (byte() - '0');
    if (at_ == start || (!at_end() && !is_space(peek()) && peek() != '#'))
      damaged("PNM", "something else than a number");
    return value;
  }

  unsigned bit() {
    skip_blanks();
    const unsigned c = byte();
    if (c != '0' && c != '1') damaged("PNM", "a bit that is neither 0 nor 1");
    return c - '0';
  }

 private:
  unsigned peek() const { return std::to_integer<unsigned>(file_[at_]); }

  Bytes file_;
  std::size_t at_ = 2;
};

void read_bits(Reader& reader, bool plain, Picture& picture) {
  for (int y = 0; y < picture.height; ++y) {
    std::uint8_t* pixel = picture.row(y);
    unsigned packed = 0;
    for (int x = 0; x < picture.width; ++x, pixel += 3) {
      if (!plain && x % 8 == 0) packed = reader.byte();
      const bool black = plain ? reader.bit() : packed >> (7 - x % 8) & 1;
      pixel[0] = pixel[1] = pixel[2] = black ? 0 : 255;
    }
  }
}

void read_samples(Reader& reader, bool plain, bool colour, std::uint64_t largest, Picture& picture) {
  const auto sample = [&] {
    std::uint64_t value = plain ? reader.number() : reader.byte();
    if (!plain && largest > 255) value = value << 8 | reader.byte();
    if (plain && value > largest) damaged("PNM", fmt::format("the sample {} is larger than {}", value, largest));
    return static_cast<std::uint8_t>(std::min<std::uint64_t>((value * 255 * 2 + largest) / (largest * 2), 255));
  };
  std::uint8_t* out = picture.data.get();
  for (std::size_t i = 0; i < picture.pixels(); ++i, out += 3) {
    out[0] = sample();
    out[1] = colour ? sample() : out[0];
    out[2] = colour ? sample() : out[0];
  }
}

}  // namespace

Picture decode_pnm(Bytes file, std::uint64_t max_pixels) {
  const unsigned kind = std::to_integer<unsigned>(file[1]) - '0';  // the caller saw "P1" to "P6"
  const bool plain = kind <= 3, bitmap = kind % 3 == 1, colour = kind % 3 == 0;
  Reader reader(file);
  const std::uint64_t width = reader.number(), height = reader.number();
  const std::uint64_t largest = bitmap ? 1 : reader.number();
  if (largest == 0 || largest > 65535)
    damaged("PNM", fmt::format("the largest value {} is not within 1 to 65535", largest));
  if (!plain && !is_space(reader.byte())) damaged("PNM", "no blank before its pixels");
  Picture picture = make_picture(width, height, 3, max_pixels);
  if (bitmap) read_bits(reader, plain, picture);
  else read_samples(reader, plain, colour, largest, picture);
  return picture;
}

}  // namespace cbir::codecs
