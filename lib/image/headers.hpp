#pragma once
/// One function a format: what its header says, without a pixel decoded. Inside the image module only.
/// All throw ImageError.

#include <cbir/image/image.hpp>

namespace cbir {

ImageProbe probe_jpeg(Bytes file);
ImageProbe probe_heif(Bytes file, ImageFormat format);

/// Throws ImageError (damaged): "truncated <format>: ends within <what>".
[[noreturn]] void throw_truncated(ImageFormat format, std::string_view what);

inline unsigned u8_at(Bytes data, std::size_t at) { return std::to_integer<unsigned>(data[at]); }
inline unsigned be16_at(Bytes data, std::size_t at) { return u8_at(data, at) << 8 | u8_at(data, at + 1); }
inline std::uint32_t be32_at(Bytes data, std::size_t at) { return be16_at(data, at) << 16 | be16_at(data, at + 2); }
inline unsigned le16_at(Bytes data, std::size_t at) { return u8_at(data, at) | u8_at(data, at + 1) << 8; }
inline std::uint32_t le32_at(Bytes data, std::size_t at) { return le16_at(data, at) | le16_at(data, at + 2) << 16; }

/// Whether `text` lies at `at`.
inline bool has_text(Bytes data, std::size_t at, std::string_view text) {
  return at <= data.size() && text.size() <= data.size() - at && as_text(data.subspan(at, text.size())) == text;
}

}  // namespace cbir
