// hnswlib as others use it, with the best code that the compiler makes for this very processor (-march=native, which
// the toolkit itself never has): a peer for tests/bench/index.py.
//
//   bench_hnswlib ROWS.f32 QUERIES.f32 DIM M EF_CONSTRUCTION [THREADS]
//
// Raw float32, inner product. Prints the seconds of building and the bytes of the graph. Then standard input has lines
// of "BATCH SECONDS EF", answered by "queries a second" and the ids of the first round, K = 10 a query, in one line.

#include <fmt/format.h>
#include <hnswlib/hnswlib.h>

#include <algorithm>
#include <chrono>
#include <iostream>
#include <iterator>
#include <string>
#include <vector>

#include <cbir/base/file.hpp>
#include <cbir/base/parallel.hpp>

namespace {

using Clock = std::chrono::steady_clock;
constexpr std::size_t kNeighbours = 10;

double since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

}  // namespace

int main(int argc, char** argv) {
  if (argc < 6) return 2;
  const cbir::ThreadLimit limit(argc > 6 ? std::stoul(argv[6]) : 0);
  const cbir::MappedFile rows_file{std::string(argv[1])}, queries_file{std::string(argv[2])};
  const std::size_t dim = std::stoul(argv[3]), row_bytes = dim * sizeof(float);
  const std::size_t rows = rows_file.bytes().size() / row_bytes, queries = queries_file.bytes().size() / row_bytes;
  const std::byte *row = rows_file.bytes().data(), *query = queries_file.bytes().data();

  hnswlib::InnerProductSpace space(dim);
  const auto start = Clock::now();
  hnswlib::HierarchicalNSW<float> graph(&space, rows, std::stoul(argv[4]), std::stoul(argv[5]));
  graph.addPoint(row, 0);
  cbir::parallel_blocks(rows - 1, 256, [&](std::size_t begin, std::size_t end) {
    for (std::size_t i = begin + 1; i <= end; ++i) graph.addPoint(row + i * row_bytes, i);
  });
  std::cout << fmt::format("{:.2f} {}\n", since(start), rows * graph.size_data_per_element_) << std::flush;

  std::size_t batch = 1, ef = 10;
  double seconds = 0;
  while (std::cin >> batch >> seconds >> ef) {
    graph.setEf(ef);
    std::vector<std::uint64_t> found(queries * kNeighbours);
    std::size_t asked = 0;
    const auto search = [&](std::size_t q) {
      auto hits = graph.searchKnn(query + q * row_bytes, kNeighbours);
      for (std::size_t i = hits.size(); i-- > 0; hits.pop()) found[q * kNeighbours + i] = hits.top().second;
    };
    const auto begin = Clock::now();
    while (since(begin) < seconds || asked == 0) {
      for (std::size_t first = 0; first < queries; first += batch) {
        const std::size_t count = std::min(batch, queries - first);
        if (count == 1) search(first);
        else
          cbir::parallel_blocks(count, 8, [&](std::size_t b, std::size_t e) {
            for (std::size_t i = b; i < e; ++i) search(first + i);
          });
        asked += count;
      }
    }
    std::cout << fmt::format("{:.2f} {}\n", static_cast<double>(asked) / since(begin), fmt::join(found, " "))
              << std::flush;
  }
}
