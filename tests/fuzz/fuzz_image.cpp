// Format, dimensions and EXIF of every kind of picture; the pixels of JPEGs.
#include <tests/fuzz/target.hpp>

#include <cbir/image/image.hpp>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace cbir;
  const Bytes file = fuzz::bytes(data, size);
  return fuzz::expect_file_errors([&] {
    const ImageProbe probe = probe_image(file);
    if (probe.orientation < 1 || probe.orientation > 8) std::abort();
    if (probe.format == ImageFormat::jpeg) decode_image(file, {.max_pixels = 1 << 16, .accept_truncated = true});
  });
}
