// Searches among rows of some labels or paths.

#include <fmt/format.h>

#include <tests/catch.hpp>
#include <tests/index/structure_fixture.hpp>

namespace {

using namespace cbir;
using fixture::Results;

constexpr std::size_t kRows = 20000, kDim = 32;

/// Each row's label is how rare it is: "half" of the rows, "hundredth", "few" (one in 10,000), or "rest".
std::string label_of(std::size_t row) {
  return row % 10000 == 77 ? "few" : row % 100 == 5 ? "hundredth" : row % 2 == 0 ? "half" : "rest";
}

/// An array of strings of up to ten ASCII characters, as NumPy writes them.
void write_labels(const std::string& path, std::size_t rows) {
  constexpr std::size_t kWidth = 10;
  std::string text = npy_strings_header(rows, kWidth);
  for (std::size_t row = 0; row < rows; ++row) {
    const std::string label = label_of(row);
    for (std::size_t i = 0; i < kWidth; ++i) {
      text += i < label.size() ? label[i] : '\0';
      text += std::string(3, '\0');
    }
  }
  write_file(path, text, true);
}

std::string build(const TemporaryFolder& folder, const std::string& type, Metric metric) {
  fixture::write_npy(folder / "x_Embeddings.npy", fixture::clustered(kRows, kDim, 1), kDim);
  write_labels(folder / "x_Categories.npy", kRows);
  build_index({folder / "x_Embeddings.npy"}, folder / "x.cbir",
              {.type = type, .metric = metric, .metric_given = true, .force = true});
  return folder / "x.cbir";
}

Results search(const Index& index, const std::vector<float>& queries, const RowFilter* filter,
               const SearchEffort& effort = {}) {
  SearchCounts counts;
  return index.search({queries.data(), queries.size() / kDim, kDim}, 10, effort, counts, filter);
}

}  // namespace

TEST_CASE("a filter lets rows pass by label and by path") {
  const TemporaryFolder folder;
  const Index index = Index::open(build(folder, "flat", Metric::cosine));
  CHECK(index.filter({.labels = {"half"}, .globs = {}}).passing() == kRows / 2);
  CHECK(index.filter({.labels = {"few"}, .globs = {}}).passing() == 2);
  CHECK(index.filter({.labels = {"few", "hundredth"}, .globs = {}}).passing() == 202);
  CHECK(index.filter({.labels = {"none"}, .globs = {}}).passing() == 0);
  CHECK(index.filter({.labels = {}, .globs = {"*00"}}).passing() == 199);  // 100, 200, ... 19900
  CHECK(index.filter({.labels = {}, .globs = {"?", "1[0-4]"}}).passing() == 15);
  CHECK(index.filter({.labels = {"few"}, .globs = {"1*"}}).passing() == 1);  // 10077, but not 77
  CHECK(index.filter({.labels = {"few"}, .globs = {"[^1]*"}}).passing() == 1);
  CHECK(index.filter({}).passing() == kRows);
}

TEST_CASE("recall among rows that pass is no lower than among all, however few they are") {
  const TemporaryFolder folder;
  const auto type = GENERATE(as<std::string>(), "flat", "ivf", "hnsw", "lsh");
  const auto metric = GENERATE(Metric::cosine, Metric::l2);
  if (fixture::kSanitized && metric == Metric::cosine) return;
  CAPTURE(type, to_string(metric));
  const Index index = Index::open(build(folder, type, metric));
  const std::vector<float> queries = fixture::clustered(200, kDim, 2);
  const double unfiltered =
      fixture::recall(search(index, queries, nullptr), search(index, queries, nullptr, {.exact = true}));
  for (const std::string label : {"half", "hundredth", "few"}) {
    CAPTURE(label);
    const RowFilter filter = index.filter({.labels = {label}, .globs = {}});
    const Results found = search(index, queries, &filter), exact = search(index, queries, &filter, {.exact = true});
    CHECK(exact.front().size() == std::min<std::uint64_t>(10, filter.passing()));
    CHECK(fixture::recall(found, exact) >= unfiltered - .02);  // 200 queries tell no more
    for (const auto& hits : found)
      for (const Hit& hit : hits) CHECK(label_of(hit.id) == label);
  }
}

TEST_CASE("exact search among rows that pass is exact search with the others left out") {
  const TemporaryFolder folder;
  const Index index = Index::open(build(folder, "flat", Metric::dot));
  const std::vector<float> queries = fixture::clustered(20, kDim, 3);
  SearchCounts counts;
  const Results all = index.search({queries.data(), 20, kDim}, kRows, {.exact = true}, counts);
  for (const std::string label : {"half", "hundredth", "few"}) {
    const RowFilter filter = index.filter({.labels = {label}, .globs = {}});
    Results expected;
    for (const auto& hits : all) {
      expected.emplace_back();
      for (const Hit& hit : hits)
        if (label_of(hit.id) == label && expected.back().size() < 10) expected.back().push_back(hit);
    }
    CHECK(fixture::same(search(index, queries, &filter, {.exact = true}), expected));
    CHECK(fixture::same(search(index, queries, &filter), expected));
  }
}

TEST_CASE("removed rows pass no filter, added ones do") {
  const TemporaryFolder folder;
  const std::string path = build(folder, "flat", Metric::cosine);
  remove_from_index(path, {.paths = {"77"}, .labels = {}});
  add_to_index(path, {folder / "x_Embeddings.npy"}, {.replace = false, .allow_mismatch = false, .name_by_id = true});
  const Index index = Index::open(path);
  CHECK(index.filter({.labels = {"few"}, .globs = {}}).passing() == 3);
  const RowFilter filter = index.filter({.labels = {"few"}, .globs = {"?????"}});
  CHECK(filter.passing() == 3);
  const std::vector<float> query = fixture::clustered(1, kDim, 4);
  const Results found = search(index, query, &filter);
  CHECK(found.front().size() == 3);
  for (const Hit& hit : found.front()) CHECK((hit.id == 10077 || hit.id == 20077 || hit.id == 30077));
}
