#include <algorithm>
#include <numeric>

#include <cbir/base/error.hpp>
#include <tests/catch.hpp>
#include <tests/index/index_fixture.hpp>
#include <tests/index/structure_fixture.hpp>

#include "lib/index/opened.hpp"
#include "lib/index/plain_scan.hpp"
#include "lib/index/recall.hpp"
#include "lib/index/tune.hpp"

namespace {

using namespace cbir;

/// Looks at the first `effort` rows only, whichever field says how many; so that recall is what share of neighbours
/// lies among them.
class Nearsighted : public Structure {
 public:
  Nearsighted(Segment segment, Metric metric, std::size_t SearchEffort::*field)
      : segment_(segment), metric_(metric), field_(field) {}

  void search(MatrixView<const float> queries, const SearchEffort& effort, const RowMask& mask, std::span<TopK> best,
              SearchCounts& counts) const override {
    Segment part = segment_;
    part.ids = part.ids.first(std::min(part.size(), effort.*field_));
    part.vectors.rows = part.size();
    PlainScan(part, metric_).search(queries, effort, mask, best, counts);
  }
  void verify() const override {}

 private:
  Segment segment_;
  Metric metric_;
  std::size_t SearchEffort::*field_;
};

struct Rows {
  TemporaryFolder folder;
  OpenedIndex index;

  Rows(std::size_t rows, std::size_t dim, Metric metric)
      : index(Container::open(fixture::build(folder, fixture::random_vectors(rows, dim, 5), dim, metric), Check::all)) {
  }
  const Segment& segment() const { return index.segments.front(); }
};

}  // namespace

TEST_CASE("exact search has recall 1") {
  for (const Metric metric : {Metric::cosine, Metric::dot, Metric::l2}) {
    const Rows rows(500, 20, metric);
    const RecallSample sample(rows.segment(), metric, 1);
    CHECK(sample.queries() == 2048);
    const RecallEstimate found = sample.measure(PlainScan(rows.segment(), metric), {}).recall;
    CHECK(found.recall == 1);
    CHECK(found.high == 1);
    CHECK(found.low > .99);  // that nothing was missed in 2048 queries does not say that nothing ever is
    CHECK(found.low < 1);
  }
}

TEST_CASE("recall is the share of neighbours that is found") {
  const Rows rows(1000, 16, Metric::l2);
  const RecallSample sample(rows.segment(), Metric::l2, 1);
  const Nearsighted half(rows.segment(), Metric::l2, &SearchEffort::ef);
  const RecallEstimate found = sample.measure(half, {.ef = 500}).recall;
  CHECK(found.low < .5);
  CHECK(found.high > .5);
  CHECK(found.high - found.low < .03);
}

TEST_CASE("an index of few rows, or of one row many times, can be asked") {
  const Rows one(1, 4, Metric::cosine);
  CHECK(RecallSample(one.segment(), Metric::cosine, 1)
            .measure(PlainScan(one.segment(), Metric::cosine), {})
            .recall.recall == 1);
  TemporaryFolder folder;
  const OpenedIndex copies(
      Container::open(fixture::build(folder, std::vector<float>(60, 1), 3, Metric::cosine), Check::all));
  const Segment& segment = copies.segments.front();
  const Nearsighted some(segment, Metric::cosine, &SearchEffort::ef);
  // Any of twenty equal rows are as right as any others; two of twelve may not count.
  CHECK(RecallSample(segment, Metric::cosine, 1).measure(some, {.ef = 12}).recall.recall == 1);
}

TEST_CASE("tuning finds the least effort that reaches the target") {
  const Rows rows(1000, 16, Metric::l2);
  const RecallSample sample(rows.segment(), Metric::l2, 1);
  const Nearsighted by_ef(rows.segment(), Metric::l2, &SearchEffort::ef);
  const Tuned graph = tune(sample, by_ef, "hnsw", 1000, {}, .9);
  CHECK(graph.effort.ef > 880);
  CHECK(graph.effort.ef <= 1000);
  CHECK(graph.recall.recall >= .9);
  CHECK(graph.counts.scored > 0);
  CHECK(tune(sample, by_ef, "hnsw", 1000, {.ef = 500}, .9).effort.ef == 500);  // what was asked for is kept
  CHECK(tune(sample, by_ef, "hnsw", 1000, {}, 1).effort.ef == 1000);

  const Nearsighted by_candidates(rows.segment(), Metric::l2, &SearchEffort::candidates);
  CHECK(tune(sample, by_candidates, "lsh", 1000, {}, .5).effort.candidates < 600);
  CHECK(tune(sample, by_candidates, "ivf", 1000, {.probe = 3}, .5).effort.probe == 3);
  const Nearsighted by_probe(rows.segment(), Metric::l2, &SearchEffort::probe);
  const Tuned lists = tune(sample, by_probe, "ivf", 1000, {}, .5);
  CHECK(lists.effort.probe >= 450);
  CHECK(lists.effort.candidates >= 10);
  CHECK(lists.recall.recall >= .5);
}

TEST_CASE("queries from outside find what the build was told to reach") {
  constexpr std::size_t kRows = 8000, kDim = 24, kQueries = 2000;
  const TemporaryFolder folder;
  const ThreadLimit one_thread(1);  // lest a graph be another one each time
  const std::vector<float> all = fixture::clustered(kRows + kQueries, kDim, 3);
  fixture::write_npy(folder / "rows.npy", std::span(all).first(kRows * kDim), kDim);
  const std::vector<float> outside(all.begin() + kRows * kDim, all.end());
  fixture::Results expected;
  for (const char* type : {"flat", "ivf", "hnsw", "lsh"}) {
    for (const double target : {.95, .99}) {
      build_index({folder / "rows.npy"}, folder / "x.cbir",
                  {.type = type, .metric = Metric::l2, .metric_given = true, .target_recall = target, .force = true});
      const fixture::Results found = fixture::search(Index::open(folder / "x.cbir"), outside, 10);
      if (expected.empty()) expected = found;  // flat comes first
      INFO(type << " " << target);
      CHECK(fixture::recall(found, expected) >= target);
    }
  }
}

TEST_CASE("a row that asks for the others is no way to them") {
  // A graph whose rows are all near their neighbours: with its own row a query arrives at once.
  constexpr std::size_t kRows = 5000, kDim = 16;
  const TemporaryFolder folder;
  const ThreadLimit one_thread(1);
  const std::string path =
      fixture::build_type(folder, "hnsw", fixture::clustered(kRows, kDim, 4), kDim, Metric::l2, {.links = 4});
  const fixture::OneStructure graph(path);
  const MatrixView<const float> queries(graph.opened.segments.front().vectors.data, 500, kDim);
  std::vector<std::uint32_t> own(500);
  std::iota(own.begin(), own.end(), 0);
  const RowMask every{.words = {}, .passing = kRows};
  SearchCounts counts;
  std::vector<TopK> with(500, TopK(11)), without(500, TopK(11));
  graph.structure->search(queries, {.ef = 11}, every, with, counts);
  graph.structure->search_without(own, queries, {.ef = 11}, every, without, counts);
  const auto holds = [](const TopK& best, std::uint64_t row) {
    return std::ranges::any_of(best.hits(), [&](const Hit& hit) { return hit.id == row; });
  };
  std::size_t seen = 0, hidden = 0;
  for (std::uint32_t q = 0; q < 500; ++q) {
    seen += holds(with[q], q);
    hidden += !holds(without[q], q);
    CHECK(without[q].hits().size() == 11);
  }
  CHECK(seen > 450);
  CHECK(hidden > 495);  // but where the walk begins at it
}
