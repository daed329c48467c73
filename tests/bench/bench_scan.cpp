// How near exact search comes to what the machine can do: arithmetic for batches, reading of memory for one query.
//
//   bench_scan [ROWS [DIM]]    (100000 x 1280)
//
// Prints medians. The limits are measured in the same run, between the searches, as neighbours on a machine change
// them.

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tests/bench/bench_scan.cpp"
#include <fmt/format.h>
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <functional>
#include <random>
#include <vector>

#include <cbir/base/parallel.hpp>
#include <cbir/base/text.hpp>
#include <cbir/index/index.hpp>
#include <cbir/index/scan.hpp>
#include <tests/bench/fma_peak.hpp>
#include <tests/index/index_fixture.hpp>

HWY_BEFORE_NAMESPACE();
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;
using D = hn::CappedTag<float, 16>;

// Four streams side by side, as the scan reads rows.
float SumAll(const float* data, std::size_t count) {
  const D d;
  const std::size_t quarter = count / 4, lanes = hn::Lanes(d);
  auto a = hn::Zero(d), b = a, c = a, e = a;
  for (std::size_t i = 0; i + lanes <= quarter; i += lanes) {
    a = hn::Add(a, hn::LoadU(d, data + i));
    b = hn::Add(b, hn::LoadU(d, data + quarter + i));
    c = hn::Add(c, hn::LoadU(d, data + 2 * quarter + i));
    e = hn::Add(e, hn::LoadU(d, data + 3 * quarter + i));
  }
  return hn::GetLane(hn::Add(hn::Add(a, b), hn::Add(c, e)));
}
}  // namespace HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace {
HWY_EXPORT(SumAll);

double seconds_of(const std::function<void()>& action) {
  const auto start = std::chrono::steady_clock::now();
  action();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

double median(std::vector<double> values) {
  std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2), values.end());
  return values[values.size() / 2];
}

double read_limit(const cbir::Index& index) {
  const float* data = index.vector(0).data();
  const std::size_t count = index.size() * cbir::padded_dim(index.dim());
  std::atomic<float> sink = 0;
  const double seconds = seconds_of([&] {
    cbir::parallel_blocks(count, 1 << 19, [&](std::size_t begin, std::size_t end) {
      sink = HWY_DYNAMIC_DISPATCH(SumAll)(data + begin, end - begin);
    });
  });
  return static_cast<double>(count * sizeof(float)) / seconds;
}

std::size_t argument(int argc, char** argv, int i, std::size_t otherwise) {
  std::uint64_t value = otherwise;
  if (argc > i && !cbir::parse_number(argv[i], value)) throw std::runtime_error("usage: bench_scan [ROWS [DIM]]");
  return static_cast<std::size_t>(value);
}

}  // namespace

int main(int argc, char** argv) {
  const std::size_t rows = argument(argc, argv, 1, 100'000), dim = argument(argc, argv, 2, 1280);
  constexpr std::size_t kBatch = 256, kRepeats = 9;
  const cbir::ThreadLimit limit(0);
  const TemporaryFolder folder;
  const cbir::Index index =
      cbir::Index::open(fixture::build(folder, fixture::random_vectors(rows, dim, 1), dim, cbir::Metric::cosine));
  const std::vector<float> queries = fixture::random_vectors(kBatch, dim, 2);
  index.search({queries.data(), 1, dim}, 10);  // maps the pages

  std::vector<double> single, batch, peak, reading;
  for (std::size_t i = 0; i < kRepeats; ++i) {
    reading.push_back(read_limit(index));
    single.push_back(seconds_of([&] { index.search({queries.data(), 1, dim}, 10); }));
    peak.push_back(fma_peak(limit.threads()));
    batch.push_back(seconds_of([&] { index.search({queries.data(), kBatch, dim}, 10); }));
  }
  const double bytes = static_cast<double>(rows * cbir::padded_dim(dim) * sizeof(float));
  const double flops = 2.0 * static_cast<double>(rows * dim * kBatch);
  fmt::print("{} x {}, {}, {} threads, top 10\n", rows, dim, cbir::scan_target(), limit.threads());
  fmt::print("one query:  {:8.2f} ms, {:6.1f} GB/s, memory reads {:6.1f} GB/s: {:.0f} %\n", median(single) * 1e3,
             bytes / median(single) / 1e9, median(reading) / 1e9, 100 * bytes / median(single) / median(reading));
  fmt::print("batch {}:  {:8.2f} ms, {:6.0f} queries/s, {:6.1f} GFLOP/s, peak {:6.1f} GFLOP/s: {:.0f} %\n", kBatch,
             median(batch) * 1e3, kBatch / median(batch), flops / median(batch) / 1e9, median(peak) / 1e9,
             100 * flops / median(batch) / median(peak));
}
#endif
