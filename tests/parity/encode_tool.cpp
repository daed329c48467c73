// For the parity tests: preprocessed pictures in, embeddings out.
//
//   encode_tool PRESET WEIGHTS CROPS OUT BATCH THREADS [ROUNDS]
//
// CROPS holds pictures of crop x crop x 3 bytes one after another, OUT gets float32 rows. BATCH pictures go into one
// call, THREADS threads call at once. With ROUNDS the whole is done so many times, and pictures per second go to
// standard output.

#include <fmt/format.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <exception>
#include <future>
#include <vector>

#include <cbir/base/error.hpp>
#include <cbir/base/file.hpp>
#include <cbir/encoder/encoder.hpp>

namespace {

void encode_all(const cbir::Encoder& encoder, cbir::Bytes crops, std::vector<float>& out, std::size_t batch,
                std::size_t threads) {
  const std::size_t count = crops.size() / encoder.input_bytes();
  std::atomic<std::size_t> next = 0;
  const auto work = [&] {
    for (std::size_t first; (first = next.fetch_add(batch)) < count;) {
      const std::size_t rows = std::min(batch, count - first);
      const cbir::Bytes part = crops.subspan(first * encoder.input_bytes(), rows * encoder.input_bytes());
      encoder.encode({reinterpret_cast<const std::uint8_t*>(part.data()), part.size()},
                     {out.data() + first * encoder.dim(), rows, encoder.dim()});
    }
  };
  std::vector<std::future<void>> pool;
  for (std::size_t t = 0; t < threads; ++t) pool.push_back(std::async(std::launch::async, work));
  for (std::future<void>& done : pool) done.get();
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 7) return 2;
  try {
    const auto encoder = cbir::open_encoder(cbir::load_preset(argv[1]), std::string(argv[2]));
    const std::vector<std::byte> crops = cbir::read_file(argv[3]);
    std::vector<float> out(crops.size() / encoder->input_bytes() * encoder->dim());
    const std::size_t batch = std::stoul(argv[5]), threads = std::stoul(argv[6]),
                      rounds = argc > 7 ? std::stoul(argv[7]) : 1;
    encode_all(*encoder, crops, out, batch, threads);
    const auto start = std::chrono::steady_clock::now();
    for (std::size_t i = 1; i < rounds; ++i) encode_all(*encoder, crops, out, batch, threads);
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
    if (rounds > 1)
      fmt::print("{:.1f}\n", static_cast<double>((rounds - 1) * out.size() / encoder->dim()) / seconds.count());
    cbir::write_file(argv[4], {reinterpret_cast<const char*>(out.data()), out.size() * sizeof(float)}, true);
    return 0;
  } catch (const cbir::Error& error) {
    fmt::print(stderr, "{}\n", error.what());
    return static_cast<int>(error.code());
  } catch (const std::exception& error) {
    fmt::print(stderr, "{}\n", error.what());
    return 1;
  }
}
