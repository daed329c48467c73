// How fast an index answers, and how often rightly: a server of measurements for tests/bench/index.py.
//
//   bench_search X.cbir QUERIES.npy NEIGHBOURS K [THREADS]
//
// NEIGHBOURS: the K true nearest ids of each query, best first, as raw little-endian 64-bit numbers. Standard input has
// lines of "BATCH SECONDS EXACT PROBE CANDIDATES EF" (0: the index's own). All queries are searched, BATCH at a time,
// at least once and for about so many seconds. The answer to each is a line of "queries a second, recall, rows compared
// by code a query, rows scored exactly a query".

#include <fmt/format.h>
#include <hwy/targets.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <string>
#include <vector>

#include <cbir/base/error.hpp>
#include <cbir/base/file.hpp>
#include <cbir/base/parallel.hpp>
#include <cbir/index/index.hpp>
#include <cbir/store/npy.hpp>
#include <lib/base/targets.hpp>

namespace {

struct Case {
  std::size_t batch = 1;
  double seconds = 0;
  cbir::SearchEffort effort;
};

std::istream& operator>>(std::istream& in, Case& wanted) {
  return in >> wanted.batch >> wanted.seconds >> wanted.effort.exact >> wanted.effort.probe >>
         wanted.effort.candidates >> wanted.effort.ef;
}

struct Bench {
  cbir::Index index;
  std::vector<float> queries;
  std::vector<std::uint64_t> neighbours;
  std::size_t k = 10;

  std::size_t count() const { return queries.size() / index.dim(); }

  std::size_t right(std::size_t query, const std::vector<cbir::Hit>& hits) const {
    const auto first = neighbours.begin() + static_cast<std::ptrdiff_t>(query * k);
    return static_cast<std::size_t>(std::count_if(hits.begin(), hits.end(), [&](const cbir::Hit& hit) {
      return std::find(first, first + static_cast<std::ptrdiff_t>(k), hit.id) != first + static_cast<std::ptrdiff_t>(k);
    }));
  }

  /// Whole rounds over all queries, except that one query at a time stops when the time is over.
  std::string run(const Case& wanted) const {
    using Clock = std::chrono::steady_clock;
    std::size_t found = 0, asked = 0, first_round = 0;
    cbir::SearchCounts counts;
    double elapsed = 0;
    while (elapsed < wanted.seconds || asked == 0) {
      for (std::size_t first = 0; first < count(); first += wanted.batch) {
        const std::size_t batch = std::min(wanted.batch, count() - first);
        const auto start = Clock::now();
        const auto hits =
            index.search({queries.data() + first * index.dim(), batch, index.dim()}, k, wanted.effort, counts);
        elapsed += std::chrono::duration<double>(Clock::now() - start).count();
        asked += batch;
        if (asked <= count()) {
          for (std::size_t i = 0; i < batch; ++i) found += right(first + i, hits[i]);
          first_round = asked;
        }
        if (elapsed >= wanted.seconds && asked >= std::min<std::size_t>(count(), 100)) break;
      }
    }
    return fmt::format("{:.2f} {:.5f} {:.1f} {:.1f}\n", static_cast<double>(asked) / elapsed,
                       static_cast<double>(found) / static_cast<double>(first_round * k),
                       static_cast<double>(counts.compared) / static_cast<double>(asked),
                       static_cast<double>(counts.scored) / static_cast<double>(asked));
  }
};

int run(int argc, char** argv) {
  if (argc < 5) throw cbir::UsageError("bench_search X.cbir QUERIES.npy NEIGHBOURS K [THREADS]");
  // As a processor without AVX-512 would do it.
  if (const char* target = std::getenv("CBIR_BENCH_TARGET"); target && std::string(target) == "avx2")
    cbir::restrict_targets(HWY_AVX2 | HWY_SSE4);
  const cbir::ThreadLimit limit(argc > 5 ? std::stoul(argv[5]) : 0);
  Bench bench{.index = cbir::Index::open(argv[1]), .queries = {}, .neighbours = {}, .k = std::stoul(argv[4])};
  const cbir::NpyMatrix queries{std::string(argv[2])};
  bench.queries.resize(queries.rows() * queries.cols());
  queries.read(0, queries.rows(), bench.queries.data());
  const std::vector<std::byte> truth = cbir::read_file(argv[3]);
  bench.neighbours.resize(truth.size() / sizeof(std::uint64_t));
  std::memcpy(bench.neighbours.data(), truth.data(), truth.size());
  if (queries.cols() != bench.index.dim() || bench.neighbours.size() != queries.rows() * bench.k)
    throw cbir::Incompatible("queries, neighbours and index do not fit");
  for (Case wanted; std::cin >> wanted;) {
    std::cout << bench.run(wanted) << std::flush;
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const std::exception& error) {
    fmt::print(stderr, "bench_search: {}\n", error.what());
    return 1;
  }
}
