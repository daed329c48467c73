#include <cmath>

#include <cbir/base/error.hpp>
#include <cbir/rerank/improved_search.hpp>
#include <cbir/rerank/whitening.hpp>
#include <tests/catch.hpp>
#include <tests/index/index_fixture.hpp>

#include "clusters.hpp"

using namespace cbir;

namespace {

constexpr std::size_t kRows = 300, kDim = 20;

/// An index of known vectors, row i labelled "even" or "odd".
struct Searched {
  TemporaryFolder folder;
  Vectors vectors = fixture::clustered_rows(kRows, kDim, 6, .2F, 1, 10);
  std::string path = folder / "x.cbir";
  Metric metric = Metric::cosine;

  Index open() {
    std::vector<float> values;
    for (std::size_t i = 0; i < kRows; ++i) values.insert(values.end(), vectors.row(i).begin(), vectors.row(i).end());
    fixture::write_set(folder, "x", values, kDim, {"even", "odd"});
    build_index({folder / "x"}, path, {.metric = metric, .metric_given = true, .force = true});
    return Index::open(path);
  }
};

/// Ids and scores of the k rows of `rows` most like `query`, by sorting everything.
std::vector<Hit> sorted(const Vectors& rows, std::span<const float> query, std::size_t k) {
  std::vector<Hit> all;
  for (std::size_t i = 0; i < rows.rows(); ++i)
    all.push_back({i, static_cast<float>(fixture::inner_product(rows.row(i), query))});
  std::stable_sort(all.begin(), all.end(), [](const Hit& a, const Hit& b) { return a.score > b.score; });
  all.resize(k);
  return all;
}

void check_same(const std::vector<Hit>& found, const std::vector<Hit>& expected) {
  REQUIRE(found.size() == expected.size());
  for (std::size_t n = 0; n < found.size(); ++n) {
    CHECK(found[n].id == expected[n].id);
    CHECK(found[n].score == Approx(expected[n].score).margin(1e-5));
  }
}

std::vector<Hit> ask(const Index& index, const Improvements& improvements, const Vectors& queries, std::size_t q,
                     std::optional<std::uint64_t> own = {}, const RowFilter* filter = nullptr) {
  const ImprovedSearch search(index, improvements, false);
  SearchCounts counts;
  const MatrixView<const float> one(queries.row(q).data(), 1, queries.dim());
  return search.search(one, std::span(&own, 1), 10, {}, counts, filter).front();
}

}  // namespace

TEST_CASE("a centred search is a search among centred vectors") {
  Searched searched;
  const Index index = searched.open();
  const Vectors queries = fixture::random_rows(2, kDim, 2);
  const Transform center = centering(searched.vectors);
  check_same(ask(index, {.center = true}, queries, 1),
             sorted(center.apply(searched.vectors), center.apply(queries).row(1), 10));
}

TEST_CASE("a whitened search is a search among whitened vectors") {
  Searched searched;
  const Index index = searched.open();
  const std::string path = searched.folder / "w";
  write_whitening(learn_whitening(searched.vectors, {.dim = 6, .shrinkage = .1}), path, false);
  const Transform whiten = read_whitening(path).transform;
  const Vectors queries = fixture::random_rows(2, kDim, 3);
  check_same(ask(index, {.whiten = path}, queries, 0),
             sorted(whiten.apply(searched.vectors), whiten.apply(queries).row(0), 10));
}

TEST_CASE("a query is expanded by what it finds, weighted by alpha") {
  Searched searched;
  const Index index = searched.open();
  const Vectors queries = fixture::random_rows(1, kDim, 4);
  const std::vector<Hit> first = sorted(searched.vectors, queries.row(0), 5);
  Vectors expanded = queries.copy();
  for (const Hit& hit : first)
    for (std::size_t c = 0; c < kDim; ++c)
      expanded.row(0)[c] += std::pow(std::max(hit.score, 0.0F), 3.0F) * searched.vectors.row(hit.id)[c];
  prepare_vector(expanded.row(0), true);
  check_same(ask(index, {.expand = 5}, queries, 0), sorted(searched.vectors, expanded.row(0), 10));

  SECTION("in the space of the centred vectors, if both are wanted") {
    const Transform center = centering(searched.vectors);
    const Vectors rows = center.apply(searched.vectors);
    Vectors query = center.apply(queries);
    std::vector<std::span<const float>> views;
    std::vector<float> similarities;
    for (const Hit& hit : sorted(rows, query.row(0), 5)) {
      views.push_back(std::as_const(rows).row(hit.id));
      similarities.push_back(hit.score);
    }
    expand_query(query.row(0), views, similarities, 3);
    check_same(ask(index, {.center = true, .expand = 5}, queries, 0), sorted(rows, query.row(0), 10));
  }
  SECTION("but not by itself, if it is a row") {
    Vectors own = searched.vectors.copy();
    std::vector<std::span<const float>> views;
    std::vector<float> similarities;
    for (const Hit& hit : sorted(searched.vectors, own.row(8), 6)) {
      if (hit.id == 8) continue;
      views.push_back(std::as_const(searched.vectors).row(hit.id));
      similarities.push_back(hit.score);
    }
    expand_query(own.row(8), views, similarities, 3);
    check_same(ask(index, {.expand = 5}, searched.vectors, 8, 8), sorted(searched.vectors, own.row(8), 10));
  }
}

TEST_CASE("with a filter, rows that pass are ranked as without") {
  Searched searched;
  const Index index = searched.open();
  const RowFilter odd = index.filter({.labels = {"odd"}, .globs = {}});
  const std::vector<Hit> some = ask(index, {.center = true}, searched.vectors, 3, {}, &odd);
  const Transform center = centering(searched.vectors);
  const Vectors rows = center.apply(searched.vectors);
  std::vector<Hit> expected;
  for (const Hit& hit : sorted(rows, rows.row(3), kRows))
    if (hit.id % 2 == 1 && expected.size() < 10) expected.push_back(hit);
  check_same(some, expected);
}

TEST_CASE("rows and queries at the mean have no direction, and score 0") {
  Searched searched;
  for (std::size_t i = 0; i < kRows; ++i)
    std::ranges::copy(searched.vectors.row(0), searched.vectors.row(i).begin());
  const Index index = searched.open();
  const std::vector<Hit> found = ask(index, {.center = true, .expand = 3}, searched.vectors, 5);
  REQUIRE(found.size() == 10);
  for (std::size_t n = 0; n < found.size(); ++n) {
    CHECK(found[n].id == n);
    CHECK(found[n].score == 0);
  }
}

TEST_CASE("what compares directions is refused for other metrics, and together where it makes no sense") {
  Searched searched;
  searched.metric = Metric::l2;
  const Index index = searched.open();
  CHECK_THROWS_AS(ImprovedSearch(index, {.center = true}, false), Incompatible);
  CHECK_THROWS_AS(ImprovedSearch(index, {.expand = 3}, true), Incompatible);
  CHECK_THROWS_AS(check_improvements({.center = true, .whiten = "w"}), UsageError);
  CHECK_THROWS_AS(check_improvements({.expand = 1, .expand_alpha = -1}), UsageError);
}

TEST_CASE("collections in memory are improved as an index is") {
  Searched searched;
  const Index index = searched.open();
  Vectors database = searched.vectors.copy();
  std::optional<Vectors> queries;
  improve(database, queries, {.center = true, .expand = 4}, false);
  REQUIRE(queries);
  check_same(ask(index, {.center = true, .expand = 4}, searched.vectors, 17, 17),
             sorted(database, queries->row(17), 10));
}
