// For the parity tests: local features of pictures, and matches between features.
//
//   local_tool extract FEATURES PICTURES OUT KEYPOINTS [ROUNDS [THREADS]]
//   local_tool match MATCHER FEATURES IN OUT [ROUNDS]
//
// PICTURES holds records of height and width (uint32) and the picture's bytes, RGB. OUT of `extract`, and IN of
// `match`, hold for each picture width, height, count and dim (uint32), keypoints (x, y, size, angle, score) and
// descriptors (float32). `match` takes pairs of neighbours; OUT gets for each the number of matches (uint32), and of
// each match two positions (uint32) and a score (float32). FEATURES and MATCHER are names or presets. With ROUNDS above
// 1 the whole is done so many times, and milliseconds for one go to standard output.

#include <fmt/format.h>
#include <lib/local/networks.hpp>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <exception>
#include <future>

#include <cbir/base/error.hpp>
#include <cbir/base/file.hpp>
#include <cbir/encoder/local_preset.hpp>

namespace {

using namespace cbir;

/// Plain numbers one after another.
class Reader {
 public:
  explicit Reader(const std::string& path) : bytes_(read_file(path)) {}
  bool done() const { return at_ == bytes_.size(); }
  template <typename T>
  void read(T* to, std::size_t count) {
    std::memcpy(to, bytes_.data() + at_, count * sizeof(T));
    at_ += count * sizeof(T);
  }

 private:
  std::vector<std::byte> bytes_;
  std::size_t at_ = 0;
};

template <typename T>
void append(std::string& out, const T* from, std::size_t count) {
  out.append(reinterpret_cast<const char*>(from), count * sizeof(T));
}

std::vector<Image> read_pictures(const std::string& path) {
  std::vector<Image> out;
  for (Reader in(path); !in.done();) {
    std::uint32_t size[2];
    in.read(size, 2);
    Image& picture = out.emplace_back(static_cast<int>(size[1]), static_cast<int>(size[0]));
    in.read(picture.data.data(), picture.data.size());
  }
  return out;
}

std::vector<LocalFeatures> read_features(const std::string& path) {
  std::vector<LocalFeatures> out;
  for (Reader in(path); !in.done();) {
    std::uint32_t head[4];
    in.read(head, 4);
    LocalFeatures& features = out.emplace_back();
    features.width = static_cast<int>(head[0]), features.height = static_cast<int>(head[1]);
    features.keypoints.resize(head[2]);
    in.read(features.keypoints.data(), head[2]);
    features.descriptors.resize(std::size_t{head[2]} * head[3]);
    in.read(features.descriptors.data(), features.descriptors.size());
  }
  return out;
}

void append(std::string& out, const LocalFeatures& features, std::size_t dim) {
  const std::uint32_t head[] = {static_cast<std::uint32_t>(features.width), static_cast<std::uint32_t>(features.height),
                                static_cast<std::uint32_t>(features.size()), static_cast<std::uint32_t>(dim)};
  append(out, head, 4);
  append(out, features.keypoints.data(), features.size());
  append(out, features.descriptors.data(), features.descriptors.size());
}

/// Does the work once, and if asked for again, and says how long one of `count` takes then.
template <typename Work>
void in_rounds(std::size_t rounds, std::size_t count, Work work) {
  work();
  std::vector<double> milliseconds;
  for (std::size_t i = 1; i < rounds; ++i) {
    const auto start = std::chrono::steady_clock::now();
    work();
    const std::chrono::duration<double, std::milli> taken = std::chrono::steady_clock::now() - start;
    milliseconds.push_back(taken.count() / static_cast<double>(count));
  }
  if (rounds > 1) fmt::print("{:.2f}\n", *std::ranges::min_element(milliseconds));
}

void extract(int argc, char** argv) {
  const auto extractor = open_network_extractor({.features = argv[2], .keypoints = std::stoul(argv[5]), .max_side = 0});
  const std::vector<Image> pictures = read_pictures(argv[3]);
  std::vector<LocalFeatures> found(pictures.size());
  const std::size_t threads = argc > 7 ? std::stoul(argv[7]) : 1;
  in_rounds(argc > 6 ? std::stoul(argv[6]) : 1, pictures.size(), [&] {
    std::vector<std::future<void>> pool;
    for (std::size_t t = 0; t < threads; ++t)
      pool.push_back(std::async(std::launch::async, [&, t] {
        for (std::size_t i = t; i < pictures.size(); i += threads) found[i] = extractor->extract(pictures[i]);
      }));
    for (std::future<void>& done : pool) done.get();
  });
  std::string out;
  for (const LocalFeatures& features : found) append(out, features, extractor->kind().dim);
  write_file(argv[4], out, true);
}

void match(int argc, char** argv) {
  const FeaturesPreset preset = load_features_preset(argv[3]);
  const LocalKind kind{.name = preset.name, .fingerprint = "", .dim = static_cast<std::size_t>(preset.dimension)};
  const auto matcher = open_network_matcher(argv[2], kind);
  const std::vector<LocalFeatures> features = read_features(argv[4]);
  std::vector<std::vector<LocalMatch>> found(features.size() / 2);
  in_rounds(argc > 6 ? std::stoul(argv[6]) : 1, found.size(), [&] {
    for (std::size_t i = 0; i < found.size(); ++i) found[i] = matcher->match(features[2 * i], features[2 * i + 1]);
  });
  std::string out;
  for (const auto& matches : found) {
    const auto count = static_cast<std::uint32_t>(matches.size());
    append(out, &count, 1);
    append(out, matches.data(), matches.size());
  }
  write_file(argv[5], out, true);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 6) return 2;
  try {
    if (std::string_view(argv[1]) == "extract") extract(argc, argv);
    else match(argc, argv);
    return 0;
  } catch (const Error& error) {
    fmt::print(stderr, "{}\n", error.what());
    return static_cast<int>(error.code());
  } catch (const std::exception& error) {
    fmt::print(stderr, "{}\n", error.what());
    return 1;
  }
}
