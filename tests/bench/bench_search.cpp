// Queries a second and recall of an index, for one or several efforts.
//
//   bench_search X.cbir QUERIES.npy TRUTH.npy [--ef 20,40,80] [--candidates 100,1000] [--probe 4,8] [--batch 1024]
//                [--threads 2] [--target AVX2]
//
// TRUTH.npy: int32, the ids of the best rows of each query, as many columns as are counted. --target restricts the
// instruction sets to one and those below. Prints the median of five rounds for each effort.

#include <fmt/format.h>
#include <hwy/targets.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cstring>
#include <string>
#include <vector>

#include <cbir/base/file.hpp>
#include <cbir/base/parallel.hpp>
#include <cbir/index/index.hpp>
#include <cbir/index/scan.hpp>
#include <cbir/store/set.hpp>

namespace {

/// The numbers of a .npy file of int32, C order: what numpy.save writes.
struct Truth {
  explicit Truth(const std::string& path, std::size_t queries) {
    const cbir::MappedFile file(path);
    std::uint16_t header = 0;
    std::memcpy(&header, file.bytes().data() + 8, sizeof header);
    const cbir::Bytes data = file.bytes().subspan(10 + std::size_t{header});
    ids.resize(data.size() / sizeof(std::int32_t));
    std::memcpy(ids.data(), data.data(), data.size());
    columns = ids.size() / queries;
  }
  std::vector<std::int32_t> ids;
  std::size_t columns = 0;
};

struct Round {
  double seconds = 0, recall = 0;
  cbir::SearchCounts counts;
};

Round search(const cbir::Index& index, cbir::MatrixView<const float> queries, const Truth& truth, std::size_t batch,
             const cbir::SearchEffort& effort) {
  Round out;
  std::size_t found = 0;
  for (std::size_t first = 0; first < queries.rows; first += batch) {
    const std::size_t count = std::min(batch, queries.rows - first);
    const cbir::MatrixView<const float> some(queries.data + first * queries.stride, count, queries.cols,
                                             queries.stride);
    const auto start = std::chrono::steady_clock::now();
    const auto hits = index.search(some, truth.columns, effort, out.counts);
    out.seconds += std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    for (std::size_t q = 0; q < count; ++q) {
      const auto* expected = truth.ids.data() + (first + q) * truth.columns;
      for (const cbir::Hit& hit : hits[q])
        found +=
            static_cast<std::size_t>(std::count(expected, expected + truth.columns, static_cast<std::int32_t>(hit.id)));
    }
  }
  out.recall = static_cast<double>(found) / static_cast<double>(queries.rows * truth.columns);
  return out;
}

void restrict_to(const std::string& target) {
  for (std::int64_t bit = 1; bit > 0 && bit < (std::int64_t{1} << 62); bit *= 2)
    if (target == hwy::TargetName(bit)) hwy::DisableTargets(bit - 1);
}

}  // namespace

int main(int argc, char** argv) {
  std::string path, query_file, truth_file, target;
  std::vector<std::size_t> ef, candidates, probe;
  std::size_t batch = 1024, threads = 0, rounds = 5;
  CLI::App app("queries a second and recall of an index");
  app.add_option("index", path)->required();
  app.add_option("queries", query_file)->required();
  app.add_option("truth", truth_file)->required();
  app.add_option("--ef", ef)->delimiter(',');
  app.add_option("--candidates", candidates)->delimiter(',');
  app.add_option("--probe", probe)->delimiter(',');
  app.add_option("--batch", batch);
  app.add_option("--threads", threads);
  app.add_option("--rounds", rounds);
  app.add_option("--target", target);
  CLI11_PARSE(app, argc, argv);
  if (!target.empty()) restrict_to(target);

  const cbir::ThreadLimit limit(threads);
  const cbir::Index index = cbir::Index::open(path);
  const cbir::EmbeddingSet set = cbir::EmbeddingSet::open(query_file);
  std::vector<float> data(set.rows() * set.dim());
  set.matrix().read(0, set.rows(), data.data(), set.dim());
  const cbir::MatrixView<const float> queries(data.data(), set.rows(), set.dim());
  const Truth truth(truth_file, queries.rows);

  std::vector<std::pair<std::string, cbir::SearchEffort>> efforts;
  for (const std::size_t n : ef) efforts.push_back({fmt::format("ef {}", n), {.ef = n}});
  for (const std::size_t n : candidates) efforts.push_back({fmt::format("candidates {}", n), {.candidates = n}});
  for (const std::size_t n : probe) efforts.push_back({fmt::format("probe {}", n), {.probe = n}});
  if (efforts.empty()) efforts.push_back({"as the index says", {}});
  fmt::print("{}: {} x {}, {}, batch {}, {} threads, recall@{}\n", index.info().type, index.size(), index.dim(),
             cbir::scan_target(), batch, limit.threads(), truth.columns);
  for (const auto& [name, effort] : efforts) {
    std::vector<double> seconds;
    Round round;
    for (std::size_t i = 0; i < rounds; ++i) {
      round = search(index, queries, truth, batch, effort);
      seconds.push_back(round.seconds);
    }
    std::nth_element(seconds.begin(), seconds.begin() + static_cast<std::ptrdiff_t>(rounds / 2), seconds.end());
    const auto count = static_cast<double>(queries.rows);
    fmt::print("{:20} {:9.0f} queries/s  recall {:.4f}  compared {:.0f} scored {:.0f}\n", name,
               count / seconds[rounds / 2], round.recall, static_cast<double>(round.counts.compared) / count,
               static_cast<double>(round.counts.scored) / count);
    std::fflush(stdout);
  }
}
