#include <fmt/format.h>

#include <cstring>
#include <new>

#include <cbir/image/codec_plugin.h>
#include <cbir/base/boundary.hpp>
#include <cbir/base/plugin.hpp>
#include <cbir/base/text.hpp>
#include <cbir/image/decoder_processes.hpp>
#include <cbir/image/image.hpp>

#include "jpeg.hpp"

namespace cbir {
namespace {

/// The codec plug-in; loaded by the first caller, while others wait.
const cbir_codec_api& codecs() {
  static const cbir_codec_api* const api = [] {
    const auto entry = reinterpret_cast<const cbir_codec_api* (*)()>(load_plugin("codecs", "cbir_codec_plugin"));
    const cbir_codec_api* found = entry();
    if (found->abi != CBIR_CODEC_ABI) {
      throw Incompatible(
          fmt::format("the codec plug-in speaks version {} of its interface, this library version {}: install both "
                      "from the same build",
                      found->abi, CBIR_CODEC_ABI));
    }
    return found;
  }();
  return *api;
}

/// (colour * alpha + ground * (255 - alpha)) / 255, rounded to nearest.
std::uint8_t on_ground(unsigned colour, unsigned alpha, unsigned ground) {
  const unsigned sum = colour * alpha + ground * (255 - alpha) + 128;
  return static_cast<std::uint8_t>((sum + (sum >> 8)) >> 8);
}

Image flatten(const cbir_pixels& pixels, Alpha alpha) {
  Image image(pixels.width, pixels.height);
  const std::uint8_t* from = pixels.data;
  std::uint8_t* to = image.data.data();
  if (pixels.channels == 3) {
    std::memcpy(to, from, image.data.size());
    return image;
  }
  const std::size_t count = image.data.size() / 3;
  const unsigned ground = alpha == Alpha::white ? 255 : 0;
  for (std::size_t i = 0; i < count; ++i, from += 4, to += 3) {
    for (int c = 0; c < 3; ++c) to[c] = alpha == Alpha::drop ? from[c] : on_ground(from[c], from[3], ground);
  }
  return image;
}

Image decode_by_plugin(Bytes file, const ImageProbe& probe, const DecodeOptions& options) {
  const cbir_codec_api& api = codecs();
  struct Owner {
    const cbir_codec_api& api;
    cbir_pixels pixels{};
    ~Owner() { api.release(&pixels); }
  } owner{api};
  char message[512] = "";
  const int failed = api.decode(static_cast<int>(probe.format), reinterpret_cast<const std::uint8_t*>(file.data()),
                                file.size(), options.max_pixels, &owner.pixels, message, sizeof message);
  if (failed == static_cast<int>(ExitCode::resource) && std::strcmp(message, kNoMemory) == 0) throw std::bad_alloc();
  if (failed) throw ImageError(static_cast<ExitCode>(failed), message);
  const bool may_differ = probe.format == ImageFormat::heif || probe.format == ImageFormat::avif;  // cropped by 'clap'
  if (!may_differ && (owner.pixels.width != probe.width || owner.pixels.height != probe.height)) {
    throw ImageError(ExitCode::damaged, fmt::format("damaged {}: the header says {} x {} pixels, the data {} x {}",
                                                    to_string(probe.format), probe.width, probe.height,
                                                    owner.pixels.width, owner.pixels.height));
  }
  return flatten(owner.pixels, options.alpha);
}

}  // namespace

Image decode_image(Bytes file, const DecodeOptions& options) {
  if (options.decoders) return options.decoders->decode(file, options);
  const ImageProbe probe = probe_image(file);
  const std::uint64_t pixels = static_cast<std::uint64_t>(probe.width) * static_cast<std::uint64_t>(probe.height);
  if (pixels > options.max_pixels) {
    throw ImageError(ExitCode::resource, fmt::format("{} x {} is {} pixels, more than the limit of {}", probe.width,
                                                     probe.height, pixels, options.max_pixels));
  }
  Image image = probe.format == ImageFormat::jpeg ? decode_jpeg(file, probe, options.accept_truncated)
                                                  : decode_by_plugin(file, probe, options);
  return probe.orientation == 1 ? image : apply_orientation(image, probe.orientation);
}

std::optional<MemoryBudget::Part> memory_to_decode(Bytes file, const DecodeOptions& options, bool copied) {
  if (!options.memory) return {};
  const ImageProbe probe = probe_image(file);
  const std::uint64_t pixels = static_cast<std::uint64_t>(probe.width) * static_cast<std::uint64_t>(probe.height);
  if (pixels > options.max_pixels) return {};  // the decoder refuses it
  constexpr std::uint64_t kCopies = 6;         // RGB twice
  const std::uint64_t wanted = pixels * (static_cast<std::uint64_t>(probe.working) + (copied ? kCopies : 0));
  auto part = options.memory->take(wanted);
  if (!part)
    throw ImageError(ExitCode::resource, fmt::format("{}: decoding takes about {}, and {} are there for it", kNoMemory,
                                                     human_bytes(wanted), human_bytes(options.memory->total())));
  return part;
}

}  // namespace cbir
