/// bench_image [JPEG]: milliseconds, on one thread, for what is done to a picture before the network sees it.
/// Without a file it makes one of 500 x 375, quality 90.

#include <fmt/format.h>

#include <malloc.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <functional>
#include <vector>

#include <cbir/base/file.hpp>
#include <cbir/image/image.hpp>
#include <cbir/image/resize.hpp>

#ifdef CBIR_BENCH_OPENCV
#include <opencv2/core.hpp>
#include <opencv2/imgcodecs.hpp>
#endif

namespace {

void report(const char* what, const std::function<void()>& work) {
  using Clock = std::chrono::steady_clock;
  std::vector<double> ms;
  for (int i = 0; i < 201; ++i) {
    const auto start = Clock::now();
    work();
    ms.push_back(std::chrono::duration<double, std::milli>(Clock::now() - start).count());
  }
  std::nth_element(ms.begin(), ms.begin() + 100, ms.end());
  fmt::print("{:<44} {:8.3f} ms\n", what, ms[100]);
}

/// A picture with edges and grain, so that its JPEG is about as large as a photograph's.
cbir::Image synthetic(int width, int height) {
  cbir::Image image(width, height);
  std::uint32_t state = 1;
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      for (int c = 0; c < 3; ++c) {
        state = state * 1664525u + 1013904223u;
        const double value = 128 + 70 * std::sin(x / (9.0 + c)) * std::cos(y / (7.0 + 3 * c)) + (state >> 28) +
                             20 * ((x / 40 + y / 50) % 2);
        image.row(y)[x * 3 + c] = static_cast<std::uint8_t>(std::clamp(value, 0.0, 255.0));
      }
    }
  }
  return image;
}

}  // namespace

int main(int argc, char** argv) try {
  mallopt(M_MMAP_THRESHOLD,
          1 << 30);  // keep pages: giving them back and faulting them in again costs as much as decoding
  mallopt(M_TRIM_THRESHOLD, 1 << 30);
  const std::vector<std::byte> file = argc > 1 ? cbir::read_file(argv[1]) : cbir::encode_jpeg(synthetic(500, 375), 90);
  const cbir::Image image = cbir::decode_image(file);
  const int width = image.width, height = image.height;
  const int short_side = std::min(width, height);
  const int w = width * 256 / short_side, h = height * 256 / short_side;
  const int left = (w - 224) / 2, top = (h - 224) / 2;
  fmt::print("{} x {}, {} bytes; to {} x {}, crop 224\n", width, height, file.size(), w, h);

  report("probe", [&] { cbir::probe_image(file); });
  report("decode", [&] { cbir::decode_image(file); });
#ifdef CBIR_BENCH_OPENCV
  cv::setNumThreads(1);
  const cv::Mat buffer(1, static_cast<int>(file.size()), CV_8U, const_cast<std::byte*>(file.data()));
  report("decode, cv::imdecode", [&] { cv::imdecode(buffer, cv::IMREAD_COLOR); });
#endif
  report("resize, bicubic", [&] { cbir::resize(image, w, h, cbir::Filter::bicubic); });
  report("resize and crop in one",
         [&] { cbir::resize_window(image, w, h, left, top, 224, 224, cbir::Filter::bicubic); });
  report("resize, bilinear", [&] { cbir::resize(image, w, h, cbir::Filter::bilinear); });
  report("resize, lanczos", [&] { cbir::resize(image, w, h, cbir::Filter::lanczos); });
  report("rotate by a quarter", [&] { cbir::apply_orientation(image, 6); });
  report("encode, quality 90", [&] { cbir::encode_jpeg(image, 90); });
  return 0;
} catch (const std::exception& error) {
  fmt::print(stderr, "bench_image: {}\n", error.what());
  return 1;
}
