#include "fma_peak.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tests/bench/fma_peak.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <chrono>
#include <thread>
#include <vector>

HWY_BEFORE_NAMESPACE();
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;
using D = hn::CappedTag<float, 16>;

// Twelve independent chains of fused multiply-add: more than latency times ports anywhere. Returns operations.
double FmaChains(std::size_t steps, float* sink) {
  const D d;
  const auto x = hn::Set(d, 0.999F), y = hn::Set(d, 0.001F);
  // Different beginnings, or the compiler makes one chain of all.
  const auto from = [&](float start) HWY_ATTR { return hn::Set(d, start); };
  auto a0 = from(0), a1 = from(1), a2 = from(2), a3 = from(3), a4 = from(4), a5 = from(5), a6 = from(6), a7 = from(7),
       a8 = from(8), a9 = from(9), a10 = from(10), a11 = from(11);
  for (std::size_t i = 0; i < steps; ++i) {
    a0 = hn::MulAdd(a0, x, y), a1 = hn::MulAdd(a1, x, y), a2 = hn::MulAdd(a2, x, y), a3 = hn::MulAdd(a3, x, y);
    a4 = hn::MulAdd(a4, x, y), a5 = hn::MulAdd(a5, x, y), a6 = hn::MulAdd(a6, x, y), a7 = hn::MulAdd(a7, x, y);
    a8 = hn::MulAdd(a8, x, y), a9 = hn::MulAdd(a9, x, y), a10 = hn::MulAdd(a10, x, y), a11 = hn::MulAdd(a11, x, y);
  }
  const auto low = hn::Add(hn::Add(hn::Add(a0, a1), hn::Add(a2, a3)), hn::Add(a4, a5));
  const auto high = hn::Add(hn::Add(hn::Add(a6, a7), hn::Add(a8, a9)), hn::Add(a10, a11));
  hn::StoreU(hn::Add(low, high), d, sink);
  return 2.0 * 12 * static_cast<double>(hn::Lanes(d)) * static_cast<double>(steps);
}
}  // namespace HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace {
HWY_EXPORT(FmaChains);
}  // namespace

double fma_peak(std::size_t threads) {
  constexpr std::size_t kSteps = 2'000'000;
  std::vector<double> operations(threads);
  std::vector<float> sinks(threads * 64);
  std::vector<std::thread> workers;
  const auto start = std::chrono::steady_clock::now();
  for (std::size_t t = 0; t < threads; ++t)
    workers.emplace_back([&, t] { operations[t] = HWY_DYNAMIC_DISPATCH(FmaChains)(kSteps, sinks.data() + t * 64); });
  for (std::thread& worker : workers) worker.join();
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  double sum = 0;
  for (const double count : operations) sum += count;
  return sum / seconds;
}
#endif
