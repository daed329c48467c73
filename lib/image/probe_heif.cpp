/// Dimensions of the primary item of an ISO base media file (ISO/IEC 14496-12, 23008-12): meta -> pitm, iprp -> ipco
/// (ispe, clap, irot), ipma. Every box must lie within the one that holds it.
#include <fmt/format.h>

#include <algorithm>
#include <climits>
#include <utility>
#include <vector>

#include "headers.hpp"

namespace cbir {
namespace {

struct Box {
  std::string_view type;
  Bytes body;
};

/// Boxes one after another. Stops, saying that it is damaged, at one that does not fit.
class Boxes {
 public:
  Boxes(Bytes data, ImageFormat format) : data_(data), format_(format) {}

  bool next(Box& box) {
    if (data_.empty()) return false;
    std::uint64_t size = data_.size() >= 8 ? be32_at(data_, 0) : 0, head = 8;
    if (size == 1 && data_.size() >= 16) {
      size = std::uint64_t{be32_at(data_, 8)} << 32 | be32_at(data_, 12);
      head = 16;
    } else if (size == 0) {
      size = data_.size();  // up to the end
    }
    if (size < head || size > data_.size()) throw_truncated(format_, "one of its boxes");
    box = {as_text(data_.subspan(4, 4)),
           data_.subspan(static_cast<std::size_t>(head), static_cast<std::size_t>(size - head))};
    data_ = data_.subspan(static_cast<std::size_t>(size));
    return true;
  }

  /// The body of the first box of a type; empty if there is none.
  Bytes find(std::string_view type) {
    for (Box box; next(box);) {
      if (box.type == type) return box.body;
    }
    return {};
  }

 private:
  Bytes data_;
  ImageFormat format_;
};

/// What a full box starts with: version and flags.
constexpr std::size_t kFullBox = 4;

std::uint32_t primary_item(Bytes pitm) {
  if (pitm.size() < kFullBox + 2) return 0;
  if (u8_at(pitm, 0) == 0) return be16_at(pitm, kFullBox);
  return pitm.size() >= kFullBox + 4 ? be32_at(pitm, kFullBox) : 0;
}

/// The numbers (from 1) of the properties that belong to an item.
std::vector<std::size_t> properties_of(std::uint32_t item, Bytes ipma) {
  std::vector<std::size_t> properties;
  if (ipma.size() < kFullBox + 4) return properties;
  const bool wide_items = u8_at(ipma, 0) >= 1, wide_indexes = u8_at(ipma, 3) & 1;
  const std::uint32_t entries = be32_at(ipma, kFullBox);
  std::size_t at = kFullBox + 4;
  const auto take = [&](unsigned bytes) {
    if (ipma.size() - at < bytes) return std::pair(0u, false);
    const unsigned value = bytes == 4 ? be32_at(ipma, at) : bytes == 2 ? be16_at(ipma, at) : u8_at(ipma, at);
    at += bytes;
    return std::pair(value, true);
  };
  for (std::uint32_t entry = 0; entry < entries; ++entry) {
    const auto [id, has_id] = take(wide_items ? 4 : 2);
    const auto [count, has_count] = take(1);
    if (!has_id || !has_count) break;
    for (unsigned i = 0; i < count; ++i) {
      const auto [index, there] = take(wide_indexes ? 2 : 1);
      if (!there) return properties;
      if (id == item) properties.push_back(index & (wide_indexes ? 0x7FFF : 0x7F));
    }
  }
  return properties;
}

/// A fraction of two numbers, rounded as libheif does; 0 if there is no such number.
std::uint32_t rounded_fraction(Bytes data, std::size_t at) {
  const std::uint64_t numerator = be32_at(data, at), denominator = be32_at(data, at + 4);
  if (denominator == 0) return 0;
  return static_cast<std::uint32_t>(std::min<std::uint64_t>((numerator + denominator / 2) / denominator, UINT32_MAX));
}

}  // namespace

ImageProbe probe_heif(Bytes file, ImageFormat format) {
  const Bytes meta = Boxes(file, format).find("meta");
  if (meta.size() < kFullBox)
    throw ImageError(ExitCode::damaged, fmt::format("damaged {}: it has no 'meta' box", to_string(format)));
  const Bytes inside = meta.subspan(kFullBox);
  const std::uint32_t item = primary_item(Boxes(inside, format).find("pitm"));
  const Bytes iprp = Boxes(inside, format).find("iprp");
  std::vector<Box> boxes;
  Boxes properties(Boxes(iprp, format).find("ipco"), format);
  for (Box box; properties.next(box);) boxes.push_back(box);

  std::uint32_t width = 0, height = 0;
  const auto numbers = properties_of(item, Boxes(iprp, format).find("ipma"));
  // The size of what was coded comes first, then what the decoder does to it, in the order of the properties.
  for (const std::size_t number : numbers) {
    if (number == 0 || number > boxes.size()) continue;
    const Box& box = boxes[number - 1];
    if (box.type == "ispe" && box.body.size() >= kFullBox + 8) {
      width = be32_at(box.body, kFullBox);
      height = be32_at(box.body, kFullBox + 4);
    } else if (box.type == "clap" && box.body.size() >= 16) {
      width = std::min(width, rounded_fraction(box.body, 0));
      height = std::min(height, rounded_fraction(box.body, 8));
    } else if (box.type == "irot" && !box.body.empty() && (u8_at(box.body, 0) & 1)) {  // by a quarter
      std::swap(width, height);
    }
  }
  if (width == 0 || height == 0 || width > INT_MAX || height > INT_MAX) {
    throw ImageError(ExitCode::damaged, fmt::format("damaged {}: its picture has no dimensions", to_string(format)));
  }
  return {format, static_cast<int>(width), static_cast<int>(height), 1};
}

}  // namespace cbir
