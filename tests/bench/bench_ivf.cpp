// Recall and speed of an ivf index over probe x candidates, by batches of 1024 queries and one by one.
//
//   bench_ivf build X.npy X.cbir [LISTS]
//   bench_ivf X.cbir QUERIES.npy TRUTH.npy
//
// TRUTH.npy (int32) has the row numbers of the ten best for each query. Inner products are compared. In the
// environment: PROBES and CANDIDATES, what is measured, numbers with commas; BUSY, see below; HIGHWAY_TARGETS, a
// number, restricts the instruction sets as hwy::SetSupportedTargetsForTest does.

#include <fmt/format.h>
#include <hwy/targets.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <functional>
#include <vector>

#include <cbir/base/error.hpp>
#include <cbir/base/file.hpp>
#include <cbir/base/parallel.hpp>
#include <cbir/base/text.hpp>
#include <cbir/index/index.hpp>
#include <cbir/index/scan.hpp>
#include <cbir/store/set.hpp>

namespace {

constexpr std::size_t kNeighbours = 10, kRepeats = 40, kSingles = 128;

/// A machine that others use, too: one thread works, and its own time is taken.
bool busy() { return std::getenv("BUSY") != nullptr; }

double seconds_now() {
  timespec time{};
  clock_gettime(busy() ? CLOCK_PROCESS_CPUTIME_ID : CLOCK_MONOTONIC, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

double seconds_of(const std::function<void()>& action) {
  const double start = seconds_now();
  action();
  return seconds_now() - start;
}

double best_of(std::size_t repeats, const std::function<void()>& action) {
  double best = seconds_of(action);
  for (std::size_t i = 1; i < repeats; ++i) best = std::min(best, seconds_of(action));
  return best;
}

struct Data {
  std::size_t count = 0, dim = 0;
  std::vector<float> queries;
  std::vector<std::int32_t> truth;
};

Data read(const std::string& queries, const std::string& truth) {
  const cbir::EmbeddingSet set = cbir::EmbeddingSet::open(queries);
  Data out{.count = set.rows(), .dim = set.dim(), .queries = {}, .truth = {}};
  out.queries.resize(out.count * out.dim);
  set.matrix().read(0, out.count, out.queries.data(), out.dim);
  const cbir::MappedFile file = cbir::MappedFile(truth);
  out.truth.resize(out.count * kNeighbours);
  const std::size_t bytes = out.truth.size() * sizeof(std::int32_t);
  if (file.bytes().size() < bytes) throw cbir::DamagedFile(truth + ": fewer than ten neighbours a query");
  std::memcpy(out.truth.data(), file.bytes().data() + file.bytes().size() - bytes, bytes);
  return out;
}

double recall(const Data& data, const std::vector<std::vector<cbir::Hit>>& found) {
  std::size_t right = 0;
  for (std::size_t q = 0; q < data.count; ++q) {
    const auto begin = data.truth.begin() + static_cast<std::ptrdiff_t>(q * kNeighbours);
    for (const cbir::Hit& hit : found[q])
      right += std::find(begin, begin + kNeighbours, static_cast<std::int32_t>(hit.id)) != begin + kNeighbours;
  }
  return static_cast<double>(right) / static_cast<double>(data.count * kNeighbours);
}

void measure(const cbir::Index& index, const Data& data, const cbir::SearchEffort& effort) {
  const cbir::MatrixView<const float> all(data.queries.data(), data.count, data.dim);
  std::vector<std::vector<cbir::Hit>> found;
  cbir::SearchCounts counts;
  const double batch = best_of(kRepeats, [&] {
    counts = {};
    found = index.search(all, kNeighbours, effort, counts);
  });
  const std::size_t singles = std::min(kSingles, data.count);
  const double single = best_of(kRepeats, [&] {
    cbir::SearchCounts some;
    for (std::size_t q = 0; q < singles; ++q)
      index.search({all.data + q * data.dim, 1, data.dim}, kNeighbours, effort, some);
  });
  const auto count = static_cast<double>(data.count);
  fmt::print("{:6} {:10} {:8.4f} {:9.0f} {:9.0f} {:10.0f} {:7.0f}\n", effort.probe, effort.candidates,
             recall(data, found), count / batch, static_cast<double>(singles) / single,
             static_cast<double>(counts.compared) / count, static_cast<double>(counts.scored) / count);
  std::fflush(stdout);
}

std::vector<std::size_t> numbers(const char* variable, std::vector<std::size_t> otherwise) {
  const char* text = std::getenv(variable);
  if (text == nullptr) return otherwise;
  std::vector<std::size_t> out;
  for (const char* at = text; *at != 0; at += *at == ',') {
    char* end = nullptr;
    out.push_back(std::strtoull(at, &end, 10));
    if (end == at) throw cbir::UsageError(fmt::format("{}: numbers and commas are expected", variable));
    at = end;
  }
  return out;
}

void build(const std::string& set, const std::string& output, const char* lists) {
  cbir::BuildOptions options{.type = "ivf", .metric = cbir::Metric::cosine, .metric_given = true, .force = true};
  std::uint64_t count = 0;
  if (lists != nullptr && !cbir::parse_number(lists, count)) throw cbir::UsageError("LISTS is a number");
  options.structure.lists = static_cast<std::size_t>(count);
  fmt::print("built in {:.1f} s\n", seconds_of([&] { cbir::build_index({set}, output, options); }));
}

}  // namespace

int main(int argc, char** argv) try {
  if (argc < 4) throw cbir::UsageError("usage: bench_ivf (build X.npy X.cbir [LISTS] | X.cbir QUERIES.npy TRUTH.npy)");
  if (const char* targets = std::getenv("HIGHWAY_TARGETS"))
    hwy::SetSupportedTargetsForTest(static_cast<std::int64_t>(std::strtoull(targets, nullptr, 0)));
  const cbir::ThreadLimit limit(busy() ? 1 : 0);
  if (std::string(argv[1]) == "build") {
    build(argv[2], argv[3], argc > 4 ? argv[4] : nullptr);
    return 0;
  }
  const cbir::Index index = cbir::Index::open(argv[1]);
  const Data data = read(argv[2], argv[3]);
  fmt::print("{} x {}, {} bytes a row, {}\n", index.size(), index.dim(), index.info().bytes / index.size(),
             cbir::scan_target());
  fmt::print("{:>6} {:>10} {:>8} {:>9} {:>9} {:>10} {:>7}\n", "probe", "candidates", "recall", "batch QPS", "single",
             "compared", "scored");
  for (const std::size_t probe : numbers("PROBES", {2, 4, 8, 16, 32, 64, 128}))
    for (const std::size_t candidates : numbers("CANDIDATES", {20, 40, 80}))
      measure(index, data, {.exact = false, .probe = probe, .candidates = candidates, .ef = 0});
} catch (const std::exception& error) {
  fmt::print(stderr, "bench_ivf: {}\n", error.what());
  return 1;
}
