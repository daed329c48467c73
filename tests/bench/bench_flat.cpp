// Exact search with the int8 first pass: queries a second, how many rows it leaves to be scored in float32, and that
// the plain scan finds the same.
//
//   bench_flat X.cbir QUERIES.npy [TARGET...]    (what this processor has; AVX2 ...)
//
// Prints medians (processor time: means) for one query, 256 and 1024 at a time, top 10.

#include <fmt/format.h>
#include <hwy/targets.h>

#include <algorithm>
#include <chrono>
#include <ctime>
#include <vector>

#include <cbir/base/parallel.hpp>
#include <cbir/index/index.hpp>
#include <cbir/index/scan.hpp>
#include <cbir/store/npy.hpp>
#include <lib/base/targets.hpp>
#include <lib/index/flat_kernels.hpp>

namespace {

constexpr std::size_t kTop = 10;
using Ranking = std::vector<std::vector<cbir::Hit>>;

std::int64_t target_of(const std::string& name) {
  for (std::int64_t all = cbir::supported_targets(); all != 0; all &= all - 1)
    if (const std::int64_t lowest = all & -all; name == hwy::TargetName(lowest)) return lowest;
  throw std::runtime_error("this processor has no " + name);
}

/// The target and what it builds upon, as on a processor that has no more.
void restrict_to(const std::string& name) {
  cbir::restrict_targets(0);
  const std::int64_t target = target_of(name);
  cbir::restrict_targets(cbir::supported_targets() & ~(target - 1));
}

bool identical(const Ranking& a, const Ranking& b) {
  return std::ranges::equal(a, b, [](const auto& x, const auto& y) {
    return std::ranges::equal(x, y, [](const auto& p, const auto& q) { return p.id == q.id && p.score == q.score; });
  });
}

void measure(const cbir::Index& index, cbir::MatrixView<const float> queries, std::size_t batch) {
  const std::size_t repeats = batch == 1 ? 31 : 5;
  std::vector<double> seconds;
  cbir::SearchCounts counts;
  const std::clock_t busy = std::clock();
  for (std::size_t i = 0; i < repeats; ++i) {
    const std::size_t first = batch == 1 ? i % queries.rows : 0;
    const auto start = std::chrono::steady_clock::now();
    index.search({queries.row(first).data(), batch, queries.cols}, kTop, {}, counts);
    seconds.push_back(std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  }
  std::nth_element(seconds.begin(), seconds.begin() + static_cast<std::ptrdiff_t>(repeats / 2), seconds.end());
  const double used = static_cast<double>(std::clock() - busy) / CLOCKS_PER_SEC;
  fmt::print("  batch {:4}: {:8.1f} queries/s, {:.3f} ms of processor time and {:.1f} rows scored a query, {:.4f} %\n",
             batch, static_cast<double>(batch) / seconds[repeats / 2], 1e3 * used / static_cast<double>(counts.queries),
             static_cast<double>(counts.scored) / static_cast<double>(counts.queries),
             100.0 * static_cast<double>(counts.scored) / static_cast<double>(counts.queries * index.size()));
}

void run(const cbir::Index& index, cbir::MatrixView<const float> queries) {
  fmt::print("{} (exact kernels {}), {} threads\n", cbir::code_target(), cbir::scan_target(), cbir::worker_threads());
  cbir::SearchCounts counts;
  const cbir::MatrixView<const float> some(queries.data, std::min<std::size_t>(64, queries.rows), queries.cols);
  const bool equal = identical(index.search(some, kTop), index.search(some, kTop, {.exact = true}, counts));
  fmt::print("  equal to the plain scan: {}\n", equal ? "yes" : "NO");
  for (const std::size_t batch : {1, 256, 1024})
    if (batch <= queries.rows) measure(index, queries, batch);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) {
    fmt::print(stderr, "usage: bench_flat X.cbir QUERIES.npy [TARGET...]\n");
    return 2;
  }
  const cbir::ThreadLimit limit(0);
  const cbir::Index index = cbir::Index::open(argv[1]);
  const cbir::NpyMatrix matrix(argv[2]);
  std::vector<float> values(matrix.rows() * matrix.cols());
  matrix.read(0, matrix.rows(), values.data());
  const cbir::MatrixView<const float> queries(values.data(), matrix.rows(), matrix.cols());
  fmt::print("{} x {}\n", index.size(), index.dim());
  if (argc == 3) run(index, queries);
  for (int i = 3; i < argc; ++i) {
    restrict_to(argv[i]);
    run(index, queries);
  }
}
