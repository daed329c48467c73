#include <cbir/extract/picture.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <new>

#include <cbir/base/error.hpp>
#include <cbir/base/hash.hpp>
#include <cbir/base/text.hpp>

#include "input.hpp"

namespace cbir {

/// Uncompressed formats take up to 8 bytes a pixel; the rest is for metadata.
std::uint64_t max_file_bytes(const DecodeOptions& options) {
  constexpr std::uint64_t kPerPixel = 8, kMetadata = 64 << 20;
  return options.max_pixels > (UINT64_MAX - kMetadata) / kPerPixel ? UINT64_MAX
                                                                   : options.max_pixels * kPerPixel + kMetadata;
}

namespace {

/// Calls `body`; what it throws and is the picture's fault becomes its failure.
template <typename Body>
void blame(LoadedPicture& loaded, const std::string& stage, Body body) {
  const auto fail = [&](const std::string& reason) { loaded.failure = LoadFailure{stage, reason}; };
  try {
    body();
  } catch (const Error& error) {
    // Of decoding, these say that the plug-in with the codecs is not installed, and that there can be no process for
    // it.
    const bool no_plugin = error.code() == ExitCode::missing_input && stage == "decode";
    const bool no_process = dynamic_cast<const ResourceLimit*>(&error) && stage == "decode";
    if (no_plugin || no_process || error.code() == ExitCode::internal) throw;
    fail(error.what());
  } catch (const std::bad_alloc&) {
    fail(kOutOfMemory);
  } catch (const std::exception& error) {
    fail(error.what());
  }
}

/// Reads the file. Whether its pixels are wanted, which they are not if that failed or the content is known.
bool read_picture(const std::string& path, const DecodeOptions& options, const KnownContent& known, InputFile& file,
                  LoadedPicture& about) {
  bool enough = false;
  blame(about, "read", [&] {
    read_input(path, max_file_bytes(options), file);
    about.stamp = file.stamp;
    about.bytes = file.data.size();
    about.xxh3 = hex(xxh3(file.data));
    enough = known && known(about);
  });
  about.stamp = file.stamp;
  return !about.failure && !enough;
}

}  // namespace

OpenedPicture open_picture(const std::string& path, const DecodeOptions& options, const KnownContent& known) {
  OpenedPicture opened;
  LoadedPicture& about = opened.about;
  InputFile file;
  if (!read_picture(path, options, known, file, about)) return opened;
  blame(about, "decode", [&] {
    opened.memory = memory_to_decode(file.data, options, options.decoders != nullptr);
    opened.image = decode_image(file.data, options);
    about.width = opened.image.width;
    about.height = opened.image.height;
  });
  return opened;
}

LoadedPicture cut_picture(const OpenedPicture& picture, const Encoder& encoder, Image& slot,
                          const std::optional<Box>& box) {
  LoadedPicture loaded = picture.about;
  slot.data.clear();
  if (loaded.failure || picture.image.data.empty()) return loaded;
  const Image& whole = picture.image;
  const auto prepare = [&](const Image& image) {
    const Image input = preprocess(image, encoder.preset().preprocessing);
    slot.width = input.width;
    slot.height = input.height;
    slot.data.assign(input.data.begin(), input.data.end());  // into memory that the slot has already
  };
  blame(loaded, box ? "crop" : "decode", [&] {
    if (!box) return prepare(whole);
    loaded.box = pixels_of(*box, whole.width, whole.height);
    if (!loaded.box)
      throw ImageError(ExitCode::damaged,
                       fmt::format("the box from ({}, {}) to ({}, {}) holds no pixel of the picture, "
                                   "{} x {}",
                                   box->x1, box->y1, box->x2, box->y2, whole.width, whole.height));
    prepare(crop(whole, *loaded.box));
  });
  return loaded;
}

LoadedPicture load_picture(const std::string& path, const DecodeOptions& options, const Encoder& encoder, Image& slot,
                           const std::optional<Box>& box, const KnownContent& known) {
  if (box || !options.decoders || !options.decoders->finishes())
    return cut_picture(open_picture(path, options, known), encoder, slot, box);
  LoadedPicture about;
  InputFile file;
  slot.data.clear();
  if (!read_picture(path, options, known, file, about)) return about;
  blame(about, "decode", [&] {
    const auto memory = memory_to_decode(file.data, options, false);
    const auto size =
        options.decoders->decode(file.data, options, preprocessing_bytes(encoder.preset().preprocessing), slot);
    about.width = size.width;
    about.height = size.height;
  });
  if (about.failure) slot.data.clear();
  return about;
}

}  // namespace cbir
