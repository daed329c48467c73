/// BMP (Windows 3 to 5, OS/2 1 and 2) as Pillow reads it: no alpha unless a bit field says so, 5- and 6-bit samples
/// scaled by 255 / max and cut.
#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <vector>

#include "codec.hpp"

namespace cbir::codecs {
namespace {

constexpr std::uint32_t kRgb = 0, kRle8 = 1, kRle4 = 2, kBitFields = 3, kAlphaBitFields = 6;

/// Little-endian numbers one after another; running off the end is an ImageError.
class Cursor {
 public:
  explicit Cursor(Bytes file) : file_(file) {}

  std::size_t offset() const { return at_; }

  Bytes take(std::size_t count, std::string_view what) {
    if (count > file_.size() - at_) truncated("BMP", fmt::format("it ends within its {}", what));
    const Bytes taken = file_.subspan(at_, count);
    at_ += count;
    return taken;
  }

  template <typename T>
  T read(std::string_view what) {
    T value;
    std::memcpy(&value, take(sizeof value, what).data(), sizeof value);
    return value;
  }

  void seek(std::size_t offset, std::string_view what) {
    if (offset > file_.size()) truncated("BMP", fmt::format("its {} would lie beyond its end", what));
    at_ = offset;
  }

 private:
  Bytes file_;
  std::size_t at_ = 0;
};

struct Header {
  std::uint64_t width = 0, height = 0;
  bool top_down = false;
  unsigned bits = 0;
  std::uint32_t compression = kRgb;
  std::size_t pixels_at = 0;
  std::array<std::uint32_t, 4> masks{};  // R, G, B, A of 16 and 32 bits
  std::vector<std::array<std::uint8_t, 3>> palette;
};

void read_palette(Cursor& reader, Header& header, std::uint32_t colours, unsigned entry_size) {
  const std::uint32_t most = 1u << header.bits;
  if (colours == 0 || colours > most) colours = most;
  header.palette.resize(most);  // indices beyond the table are black
  for (std::uint32_t i = 0; i < colours; ++i) {
    const Bytes entry = reader.take(entry_size, "palette");
    for (std::size_t c = 0; c < 3; ++c) header.palette[i][c] = std::to_integer<std::uint8_t>(entry[2 - c]);
  }
}

void read_masks(Cursor& reader, std::uint32_t header_size, Header& header) {
  if (header.compression == kRgb) {
    header.masks = header.bits == 16 ? std::array<std::uint32_t, 4>{0x7C00, 0x3E0, 0x1F, 0}
                                     : std::array<std::uint32_t, 4>{0xFF0000, 0xFF00, 0xFF, 0};
    return;
  }
  const bool with_alpha = header_size >= 56 || header.compression == kAlphaBitFields;
  for (std::size_t i = 0; i < (with_alpha ? 4u : 3u); ++i) header.masks[i] = reader.read<std::uint32_t>("bit field");
  if (std::ranges::all_of(header.masks, [](std::uint32_t mask) { return mask == 0; })) {
    header.masks = {0xFF0000, 0xFF00, 0xFF, 0xFF000000};
  }
  for (const std::uint32_t mask : header.masks) {
    const std::uint32_t run = mask == 0 ? 0 : mask >> std::countr_zero(mask);
    if (run & (run + 1)) unsupported("BMP", "a bit field with a gap");
  }
}

Header read_header(Cursor& reader) {
  Header header;
  reader.seek(10, "offset of the pixels");
  header.pixels_at = reader.read<std::uint32_t>("offset of the pixels");
  const auto size = reader.read<std::uint32_t>("header size");
  std::uint32_t colours = 0;
  if (size == 12) {
    header.width = reader.read<std::uint16_t>("width");
    header.height = reader.read<std::uint16_t>("height");
    reader.read<std::uint16_t>("planes");
    header.bits = reader.read<std::uint16_t>("bits");
  } else {
    header.width = reader.read<std::uint32_t>("width");
    const std::int64_t height = reader.read<std::int32_t>("height");
    header.top_down = height < 0;
    header.height = static_cast<std::uint64_t>(height < 0 ? -height : height);
    reader.read<std::uint16_t>("planes");
    header.bits = reader.read<std::uint16_t>("bits");
    header.compression = reader.read<std::uint32_t>("compression");
    reader.take(12, "header");
    colours = reader.read<std::uint32_t>("number of colours");
    reader.take(4, "header");
  }
  const auto is = [&](unsigned bits) { return header.bits == bits; };
  const bool indexed = is(1) || is(4) || is(8);
  const bool known = header.compression == kRgb    ? indexed || is(16) || is(24) || is(32)
                     : header.compression == kRle8 ? is(8)
                     : header.compression == kRle4 ? is(4)
                     : header.compression == kBitFields || header.compression == kAlphaBitFields ? is(16) || is(32)
                                                                                                 : false;
  if (!known) unsupported("BMP", fmt::format("{} bits a pixel with compression {}", header.bits, header.compression));
  if (is(16) || is(32)) read_masks(reader, size, header);
  const std::size_t header_end = std::size_t{14} + size;
  if (indexed) {
    reader.seek(header_end, "palette");
    read_palette(reader, header, colours, size == 12 ? 3 : 4);
  }
  if (header.pixels_at == 0) header.pixels_at = std::max(reader.offset(), header_end);
  return header;
}

std::uint8_t scaled(std::uint32_t pixel, std::uint32_t mask) {
  if (mask == 0) return 0;
  const int shift = std::countr_zero(mask);
  return static_cast<std::uint8_t>(std::uint64_t{(pixel & mask) >> shift} * 255 / (mask >> shift));
}

void unpack_row(const Header& header, const std::uint8_t* from, int width, int channels, std::uint8_t* to) {
  for (int x = 0; x < width; ++x, to += channels) {
    if (header.bits == 24) {
      for (int c = 0; c < 3; ++c) to[c] = from[x * 3 + 2 - c];
    } else if (header.bits <= 8) {
      const unsigned at = static_cast<unsigned>(x) * header.bits;
      const unsigned index = from[at / 8] >> (8 - header.bits - at % 8) & ((1u << header.bits) - 1);
      std::copy_n(header.palette[index].data(), 3, to);
    } else {
      std::uint32_t pixel = 0;
      for (unsigned i = header.bits / 8; i-- > 0;)
        pixel = pixel << 8 | from[static_cast<unsigned>(x) * header.bits / 8 + i];
      for (int c = 0; c < channels; ++c) to[c] = scaled(pixel, header.masks[static_cast<std::size_t>(c)]);
    }
  }
}

/// Run-length coded indices, row 0 lowest; what is skipped has index 0.
std::vector<std::uint8_t> read_runs(Cursor& reader, const Header& header) {
  const std::uint64_t width = header.width, height = header.height;
  std::vector<std::uint8_t> indices(static_cast<std::size_t>(width * height));
  std::uint64_t x = 0, y = 0;
  const auto put = [&](unsigned index) {
    if (x < width && y < height) indices[static_cast<std::size_t>(y * width + x)] = static_cast<std::uint8_t>(index);
    ++x;
  };
  const bool nibbles = header.compression == kRle4;
  while (y < height) {
    const unsigned count = reader.read<std::uint8_t>("run"), value = reader.read<std::uint8_t>("run");
    if (count > 0) {
      for (unsigned i = 0; i < count; ++i) put(!nibbles ? value : i % 2 == 0 ? value >> 4 : value & 15);
    } else if (value == 0) {
      x = 0, ++y;
    } else if (value == 1) {
      break;
    } else if (value == 2) {
      x += reader.read<std::uint8_t>("run");
      y += reader.read<std::uint8_t>("run");
    } else {
      const unsigned bytes = nibbles ? (value + 1) / 2 : value;
      const Bytes raw = reader.take(bytes + bytes % 2, "run");
      for (unsigned i = 0; i < value; ++i) {
        const unsigned byte = std::to_integer<unsigned>(raw[nibbles ? i / 2 : i]);
        put(!nibbles ? byte : i % 2 == 0 ? byte >> 4 : byte & 15);
      }
    }
  }
  return indices;
}

Picture read_pixels(Cursor& reader, Header& header, std::uint64_t max_pixels) {
  Picture picture = make_picture(header.width, header.height, header.masks[3] ? 4 : 3, max_pixels);
  reader.seek(header.pixels_at, "pixels");
  std::vector<std::uint8_t> runs;
  const bool run_length = header.compression == kRle8 || header.compression == kRle4;
  if (run_length) {
    runs = read_runs(reader, header);
    header.bits = 8;
    header.palette.resize(256);
  }
  const std::size_t row_bytes = static_cast<std::size_t>((header.width * header.bits + 7) / 8);
  const std::size_t stride = run_length ? row_bytes : (row_bytes + 3) / 4 * 4;
  for (int i = 0; i < picture.height; ++i) {
    const auto* from = run_length ? runs.data() + static_cast<std::size_t>(i) * stride
                                  : reinterpret_cast<const std::uint8_t*>(reader.take(row_bytes, "pixels").data());
    unpack_row(header, from, picture.width, picture.channels,
               picture.row(header.top_down ? i : picture.height - 1 - i));
    if (!run_length && i + 1 < picture.height) reader.take(stride - row_bytes, "pixels");
  }
  return picture;
}

}  // namespace

Picture decode_bmp(Bytes file, std::uint64_t max_pixels) {
  Cursor reader(file);
  Header header = read_header(reader);
  return read_pixels(reader, header, max_pixels);
}

}  // namespace cbir::codecs
