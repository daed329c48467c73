/// bench_peak [THREADS]: the measured peak of float32 arithmetic, in GFLOP/s; the best of several goes.

#include <fmt/format.h>

#include <algorithm>

#include <cbir/base/parallel.hpp>
#include <cbir/base/text.hpp>
#include <tests/bench/fma_peak.hpp>

int main(int argc, char** argv) {
  std::uint64_t threads = cbir::available_cpus();
  if (argc > 2 || (argc == 2 && (!cbir::parse_number(argv[1], threads) || threads == 0)))
    return fmt::print(stderr, "usage: bench_peak [THREADS]\n"), 2;
  constexpr int kRepeats = 20;
  double best = 0;
  for (int i = 0; i < kRepeats; ++i) best = std::max(best, fma_peak(threads));
  fmt::print("{:.1f}\n", best / 1e9);
}
