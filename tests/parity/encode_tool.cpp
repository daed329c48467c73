// For the parity tests: preprocessed pictures, or texts, in, embeddings out.
//
//   encode_tool PRESET WEIGHTS INPUTS OUT BATCH THREADS [ROUNDS [PRECISION]]
//
// INPUTS holds records of height and width (uint32) and the picture's bytes, RGB; or, if its name ends in .txt, a text
// a line. WEIGHTS '-' are the preset's own. OUT gets float32 rows. BATCH inputs go into one call, THREADS threads call
// at once. With ROUNDS above 1 the whole is done so many times, and inputs per second go to standard output.

#include <fmt/format.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <exception>
#include <future>
#include <vector>

#include <cbir/base/error.hpp>
#include <cbir/base/file.hpp>
#include <cbir/base/text.hpp>
#include <cbir/encoder/encoder.hpp>

namespace {

std::vector<cbir::Image> read_pictures(const std::string& path) {
  const std::vector<std::byte> bytes = cbir::read_file(path);
  std::vector<cbir::Image> pictures;
  for (std::size_t at = 0; at < bytes.size();) {
    std::array<std::uint32_t, 2> size{};
    std::memcpy(size.data(), bytes.data() + at, sizeof size);
    cbir::Image picture(static_cast<int>(size[1]), static_cast<int>(size[0]));
    std::memcpy(picture.data.data(), bytes.data() + at + sizeof size, picture.data.size());
    at += sizeof size + picture.data.size();
    pictures.push_back(std::move(picture));
  }
  return pictures;
}

std::vector<std::string> read_lines(const std::string& path) {
  std::vector<std::string> lines;
  const std::string text = cbir::read_text(path);
  for (const std::string_view line : cbir::split(text, '\n')) lines.emplace_back(line);
  if (!lines.empty() && lines.back().empty()) lines.pop_back();
  return lines;
}

/// Calls encode(first, count) for all batches, from several threads.
template <typename Encode>
void in_batches(std::size_t count, std::size_t batch, std::size_t threads, Encode encode) {
  std::atomic<std::size_t> next = 0;
  const auto work = [&] {
    for (std::size_t first; (first = next.fetch_add(batch)) < count;) encode(first, std::min(batch, count - first));
  };
  std::vector<std::future<void>> pool;
  for (std::size_t t = 0; t < threads; ++t) pool.push_back(std::async(std::launch::async, work));
  for (std::future<void>& done : pool) done.get();
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 7) return 2;
  try {
    const std::string weights = argv[2], inputs = argv[3];
    const std::size_t batch = std::stoul(argv[5]), threads = std::stoul(argv[6]),
                      rounds = argc > 7 ? std::stoul(argv[7]) : 1;
    const auto encoder =
        cbir::open_encoder(cbir::load_preset(argv[1]), weights == "-" ? std::nullopt : std::optional(weights),
                           {.precision = argc > 8 ? argv[8] : "float32"});
    std::vector<cbir::Image> pictures;
    std::vector<std::string> texts;
    if (inputs.ends_with(".txt")) texts = read_lines(inputs);
    else pictures = read_pictures(inputs);
    const std::size_t count = pictures.size() + texts.size();
    std::vector<float> out(count * encoder->dim());
    const auto encode_all = [&] {
      in_batches(count, batch, threads, [&](std::size_t first, std::size_t rows) {
        const cbir::MatrixView<float> part{out.data() + first * encoder->dim(), rows, encoder->dim()};
        if (texts.empty()) encoder->encode(std::span(pictures).subspan(first, rows), part);
        else encoder->encode_text(std::span(texts).subspan(first, rows), part);
      });
    };
    encode_all();
    const auto start = std::chrono::steady_clock::now();
    for (std::size_t i = 1; i < rounds; ++i) encode_all();
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
    if (rounds > 1) fmt::print("{:.1f}\n", static_cast<double>((rounds - 1) * count) / seconds.count());
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
