// Indexes that grew: what a search works out once serves all segments.

#include <fmt/format.h>

#include <tests/catch.hpp>
#include <tests/index/structure_fixture.hpp>

using namespace cbir;
using fixture::Results;
using fixture::search;

namespace {

constexpr std::size_t kDim = 24, kBuilt = 5000, kAdded = 150, kTimes = 8;

/// Rows built at once, and others that came later, a few at a time.
std::string grown(const TemporaryFolder& folder, const std::string& type, Metric metric) {
  const ThreadLimit one_thread(1);  // lest a graph be another one each time
  const std::vector<float> rows = fixture::clustered(kBuilt + kAdded * kTimes, kDim, 3);
  const std::string path =
      fixture::build_type(folder, type, std::span(rows).first(kBuilt * kDim), kDim, metric, {.links = 16, .bits = 128});
  for (std::size_t i = 0; i < kTimes; ++i) {
    fixture::write_npy(folder / "more.npy", std::span(rows).subspan((kBuilt + i * kAdded) * kDim, kAdded * kDim), kDim);
    add_to_index(path, {folder / "more.npy"}, {.name_by_id = true});
  }
  return path;
}

}  // namespace

TEST_CASE("an index that grew by many appends is searched as well as one built at once") {
  const TemporaryFolder folder;
  const std::vector<float> queries = fixture::clustered(100, kDim, 4);
  for (const Metric metric : {Metric::cosine, Metric::dot, Metric::l2})
    for (const std::string type : {"flat", "ivf", "hnsw", "lsh"}) {
      INFO(type << " " << to_string(metric));
      const Index index = Index::open(grown(folder, type, metric));
      REQUIRE(index.info().segments == 1 + kTimes);
      const Results exact = search(index, queries, 10, {.exact = true});
      CHECK(fixture::recall(search(index, queries, 10), exact) > .95);
      if (type != "hnsw")  // as far as one can look: everywhere
        CHECK(fixture::same(search(index, queries, 10, {.probe = kBuilt, .candidates = 2 * kBuilt}), exact));
    }
}

TEST_CASE("in many segments, too, what is found does not depend on which queries come together") {
  const TemporaryFolder folder;
  const std::vector<float> queries = fixture::clustered(70, kDim, 5);
  for (const std::string type : {"ivf", "hnsw", "lsh"}) {
    INFO(type);
    const Index index = Index::open(grown(folder, type, Metric::cosine));
    const SearchEffort effort{.probe = 3, .candidates = 20, .ef = 20};
    const Results together = search(index, queries, 10, effort);
    for (const std::size_t threads : {1, 3}) {
      const ThreadLimit limit(threads);
      CHECK(fixture::same(search(index, queries, 10, effort), together));
      for (std::size_t q = 0; q < 70; ++q) {
        const auto begin = queries.begin() + static_cast<std::ptrdiff_t>(q * kDim);
        CHECK(fixture::same(search(index, {begin, begin + kDim}, 10, effort), {together[q]}));
      }
    }
  }
}

TEST_CASE("in many segments a filter costs no recall") {
  const TemporaryFolder folder;
  const std::vector<float> queries = fixture::clustered(100, kDim, 6);
  for (const std::string type : {"ivf", "hnsw", "lsh"}) {
    const Index index = Index::open(grown(folder, type, Metric::l2));
    for (const std::string glob : {"*[02468]", "*7", "*77"}) {
      INFO(type << " " << glob);
      const RowFilter filter = index.filter({.labels = {}, .globs = {glob}});
      SearchCounts counts;
      const MatrixView<const float> asked(queries.data(), 100, kDim);
      const Results exact = index.search(asked, 10, {.exact = true}, counts, &filter);
      CHECK(fixture::recall(index.search(asked, 10, {}, counts, &filter), exact) > .95);
    }
  }
}
