// The pixels of every kind of picture but JPEG: our readers in the plug-in, and with them the libraries that they call,
// which are not compiled for this.
#include <tests/fuzz/target.hpp>

#include <cbir/image/image.hpp>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace cbir;
  const Bytes file = fuzz::bytes(data, size);
  try {
    if (probe_image(file).format == ImageFormat::jpeg) return 0;
    const Image image = decode_image(file, {.max_pixels = 1 << 16});
    if (image.data.size() !=
        std::size_t{3} * static_cast<std::size_t>(image.width) * static_cast<std::size_t>(image.height))
      std::abort();
    fuzz::touch(std::as_bytes(std::span(image.data)));
  } catch (const Error& error) {  // but for a plug-in that is not there
    if (error.code() != ExitCode::damaged && error.code() != ExitCode::resource &&
        error.code() != ExitCode::incompatible)
      throw;
  }
  return 0;
}
