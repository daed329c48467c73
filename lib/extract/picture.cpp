#include <cbir/extract/picture.hpp>

#include <algorithm>
#include <new>

#include <cbir/base/error.hpp>
#include <cbir/base/hash.hpp>

#include "input.hpp"

namespace cbir {
namespace {

/// Uncompressed formats take up to 8 bytes a pixel; the rest is for metadata.
std::uint64_t max_file_bytes(const DecodeOptions& options) {
  constexpr std::uint64_t kPerPixel = 8, kMetadata = 64 << 20;
  return options.max_pixels > (UINT64_MAX - kMetadata) / kPerPixel ? UINT64_MAX
                                                                   : options.max_pixels * kPerPixel + kMetadata;
}

}  // namespace

LoadedPicture load_picture(const std::string& path, const DecodeOptions& options, const Encoder& encoder, Image& slot) {
  LoadedPicture loaded;
  slot.data.clear();
  InputFile file;
  std::string stage = "read";
  const auto fail = [&](const std::string& reason) { loaded.failure = LoadFailure{stage, reason}; };
  try {
    read_input(path, max_file_bytes(options), file);
    stage = "decode";
    const Image picture = decode_image(file.data, options);
    const Image input = preprocess(picture, encoder.preset().preprocessing);
    slot.width = input.width;
    slot.height = input.height;
    slot.data.assign(input.data.begin(), input.data.end());  // into memory that the slot has already
    loaded.bytes = file.data.size();
    loaded.width = picture.width;
    loaded.height = picture.height;
    loaded.xxh3 = hex(xxh3(file.data));
  } catch (const Error& error) {
    // Of decoding, this says that the plug-in with the codecs is not installed.
    const bool no_plugin = error.code() == ExitCode::missing_input && stage == "decode";
    if (no_plugin || error.code() == ExitCode::internal) throw;
    fail(error.what());
  } catch (const std::bad_alloc&) {
    fail("out of memory");
  } catch (const std::exception& error) {
    fail(error.what());
  }
  loaded.stamp = file.stamp;
  return loaded;
}

}  // namespace cbir
