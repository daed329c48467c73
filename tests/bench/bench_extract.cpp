/// bench_extract FOLDER [THREADS]: how much of the machine the extraction pipeline uses.
///
/// Measures in one run, repeated: the network alone on preprocessed pictures in memory, all threads at once; reading,
/// decoding and preprocessing alone, one thread; and extract() over the same files. If pictures and network shared the
/// processors perfectly, the pipeline would do 1 / (network time + image time / threads) pictures a second.

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <string>
#include <thread>
#include <vector>

#include <cbir/base/file.hpp>
#include <cbir/base/parallel.hpp>
#include <cbir/encoder/encoder.hpp>
#include <cbir/extract/extract.hpp>
#include <tests/temporary.hpp>

namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

double median(std::vector<double> values) {
  std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2), values.end());
  return values[values.size() / 2];
}

}  // namespace

int main(int argc, char** argv) try {
  if (argc < 2) return fmt::print(stderr, "usage: bench_extract FOLDER [THREADS]\n"), 2;
  const std::size_t threads = argc > 2 ? std::stoul(argv[2]) : cbir::available_cpus();
  constexpr std::size_t kBatch = 16, kRepeats = 5;
  const cbir::ThreadLimit limit(threads);
  const cbir::Listing listing = cbir::list_paths({argv[1]}, {});
  const cbir::EncoderChoice choice = cbir::choose_encoder(cbir::load_preset("efficientnet-lite0"), {});
  const auto encoder = choice.open();
  const std::size_t sample = std::min<std::size_t>(listing.files.size() / kBatch, 16) * kBatch;
  if (sample == 0) return fmt::print(stderr, "{}: at least {} pictures are needed\n", argv[1], kBatch), 4;

  std::vector<double> network, image, pipeline;
  for (std::size_t repeat = 0; repeat < kRepeats; ++repeat) {
    std::vector<cbir::Image> inputs;
    auto start = Clock::now();
    for (std::size_t i = 0; i < sample; ++i) {
      const auto picture = cbir::decode_image(cbir::read_file(listing.files[i].path));
      inputs.push_back(cbir::preprocess(picture, choice.preset.preprocessing));
    }
    image.push_back(seconds_since(start) / static_cast<double>(sample));

    std::vector<std::thread> workers;
    constexpr std::size_t kRounds = 3;
    start = Clock::now();
    for (std::size_t t = 0; t < threads; ++t)
      workers.emplace_back([&] {
        std::vector<float> out(kBatch * encoder->dim());
        for (std::size_t i = 0; i < sample * kRounds; i += kBatch)
          encoder->encode(std::span(inputs).subspan(i % sample, kBatch), {out.data(), kBatch, encoder->dim()});
      });
    for (auto& worker : workers) worker.join();
    network.push_back(seconds_since(start) / static_cast<double>(sample * kRounds * threads));

    const TemporaryFolder folder;
    cbir::EncoderChoice opened = choice;  // with the network loaded already
    struct Borrowed : cbir::Encoder {
      explicit Borrowed(const Encoder& e) : Encoder(e.preset(), e.fingerprint()), inner(e) {}
      std::size_t dim() const override { return inner.dim(); }
      void encode(std::span<const cbir::Image> in, cbir::MatrixView<float> out) const override {
        inner.encode(in, out);
      }
      const Encoder& inner;
    };
    opened.open = [&] { return std::make_unique<Borrowed>(*encoder); };
    cbir::ExtractOptions options;
    options.output = folder / "set";
    options.batch = kBatch;
    start = Clock::now();
    cbir::extract(listing, opened, options);
    pipeline.push_back(seconds_since(start) / static_cast<double>(listing.files.size()));
  }
  const double n = median(network), i = median(image), p = median(pipeline);
  const double ideal = n + i / static_cast<double>(threads);
  fmt::print("{} pictures, {} threads, medians of {} runs\n", listing.files.size(), threads, kRepeats);
  fmt::print("network alone     {:7.1f} pictures/s\n", 1 / n);
  fmt::print("image, one thread {:7.1f} pictures/s ({:.2f} ms)\n", 1 / i, i * 1e3);
  fmt::print("pipeline          {:7.1f} pictures/s, {:.1f} % of {:.1f}\n", 1 / p, 100 * ideal / p, 1 / ideal);
} catch (const cbir::Error& error) {
  fmt::print(stderr, "bench_extract: {}\n", error.what());
  return static_cast<int>(error.code());
}
