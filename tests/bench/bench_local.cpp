// Verification as cbir-query --verify does it: 50 stored candidates of 1,000 keypoints against one query.
// usage: bench_local [FEATURES.local]; without a file, random features of SIFT's and ORB's shape, half of which match.

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <random>

#include <cbir/base/parallel.hpp>
#include <cbir/local/local.hpp>
#include <cbir/local/local_file.hpp>

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kCandidates = 50, kKeypoints = 1000, kRounds = 9;

cbir::LocalFeatures random_features(const cbir::LocalKind& kind, unsigned seed) {
  std::mt19937 generator(seed), shared(1);
  cbir::LocalFeatures out{.width = 800, .height = 600};
  for (std::size_t i = 0; i < kKeypoints; ++i) {
    std::mt19937& source = i % 2 == 0 ? shared : generator;
    out.keypoints.push_back({.x = static_cast<float>(source() % 800), .y = static_cast<float>(source() % 600)});
    for (std::size_t k = 0; k < kind.dim; ++k) {
      if (kind.binary) out.bits.push_back(static_cast<std::uint8_t>(source()));
      else out.descriptors.push_back(static_cast<float>(source() % 100));
    }
  }
  return out;
}

double median_of(std::vector<double> times) {
  std::ranges::nth_element(times, times.begin() + static_cast<std::ptrdiff_t>(times.size() / 2));
  return times[times.size() / 2];
}

template <typename Features>
void measure(const std::string& what, const cbir::LocalKind& kind, const cbir::LocalFeatures& query, std::size_t count,
             const Features& features) {
  const auto matcher = cbir::open_local_matcher("nn", kind);
  for (const bool estimates : {false, true}) {
    std::vector<double> times;
    for (std::size_t round = 0; round < kRounds; ++round) {
      const auto start = Clock::now();
      cbir::parallel_blocks(count, 1, [&](std::size_t i, std::size_t) {
        const cbir::LocalFeatures candidate = features(i);
        const auto matches = matcher->match(query, candidate);
        if (estimates) cbir::verify_matches(query, candidate, matches, {});
      });
      times.push_back(std::chrono::duration<double, std::milli>(Clock::now() - start).count());
    }
    fmt::print("{}\t{}\t{} candidates\t{:.1f} ms\n", what, estimates ? "read, match, estimate" : "read, match", count,
               median_of(times));
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc > 1) {
    const cbir::LocalFile file = cbir::LocalFile::open(argv[1]);
    const std::size_t count = std::min(kCandidates, file.size());
    measure(argv[1], file.info().kind, file.features(0), count, [&](std::size_t i) { return file.features(i); });
    return 0;
  }
  for (const cbir::LocalKind& kind : {cbir::LocalKind{.name = "sift", .fingerprint = "", .dim = 128},
                                      cbir::LocalKind{.name = "orb", .fingerprint = "", .dim = 32, .binary = true}}) {
    const cbir::LocalFeatures candidate = random_features(kind, 3);
    measure(kind.name, kind, random_features(kind, 2), kCandidates, [&](std::size_t) { return candidate; });
  }
}
