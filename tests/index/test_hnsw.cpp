#include <lib/index/hnsw.hpp>

#include <random>

#include <lib/index/hnsw_search.hpp>
#include <lib/index/plain_scan.hpp>
#include <tests/catch.hpp>
#include <tests/index/structure_fixture.hpp>

using namespace cbir;

namespace {

constexpr std::size_t kDim = 24, kRows = 5000;

std::string build(const TemporaryFolder& folder, std::span<const float> values, Metric metric) {
  return fixture::build_type(folder, "hnsw", values, kDim, metric);
}

}  // namespace

TEST_CASE("hnsw finds nearly what exact search finds, with the same scores") {
  const TemporaryFolder folder;
  const auto [metric, spread, shift] = GENERATE(table<Metric, float, float>({{Metric::cosine, 0.0F, 0.0F},
                                                                             {Metric::cosine, 0.0F, 3.0F},
                                                                             {Metric::l2, 0.0F, 0.0F},
                                                                             {Metric::l2, 0.0F, 100.0F},
                                                                             {Metric::dot, 0.0F, 0.0F},
                                                                             {Metric::dot, 1.0F, 0.0F}}));
  CAPTURE(to_string(metric), spread, shift);
  const ThreadLimit one_thread(1);  // lest the graph be another one each time
  const Index index = Index::open(build(folder, fixture::clustered(kRows, kDim, 1, spread, shift), metric));
  const std::vector<float> queries = fixture::clustered(100, kDim, 2, spread, shift);
  const auto exact = fixture::search(index, queries, 10, {.exact = true});
  CHECK(fixture::recall(fixture::search(index, queries, 10), exact) > 0.95);
  CHECK(fixture::recall(fixture::search(index, queries, 10, {.ef = 400}), exact) > 0.99);
}

TEST_CASE("what hnsw finds depends neither on threads nor on which queries come together") {
  const TemporaryFolder folder;
  const Index index = Index::open(build(folder, fixture::clustered(kRows, kDim, 1), Metric::cosine));
  const std::vector<float> queries = fixture::clustered(70, kDim, 2);
  const auto together = fixture::search(index, queries, 10);
  {
    const ThreadLimit one(1);
    CHECK(fixture::same(fixture::search(index, queries, 10), together));
  }
  fixture::Results single;
  for (std::size_t q = 0; q < 70; ++q)
    single.push_back(fixture::search(index,
                                     {queries.begin() + static_cast<std::ptrdiff_t>(q * kDim),
                                      queries.begin() + static_cast<std::ptrdiff_t>((q + 1) * kDim)},
                                     10)[0]);
  CHECK(fixture::same(single, together));
}

TEST_CASE("with one thread the same rows make the same graph") {
  const TemporaryFolder first, second;
  const ThreadLimit one(1);
  const std::vector<float> values = fixture::clustered(kRows, kDim, 1);
  CHECK(read_file(build(first, values, Metric::l2)) == read_file(build(second, values, Metric::l2)));
}

TEST_CASE("hnsw finds rows of which there are many copies, and rows beside them") {
  const TemporaryFolder folder;
  std::vector<float> values = fixture::clustered(kRows, kDim, 1);
  for (std::size_t row = 1000; row < 2000; ++row) std::copy_n(values.begin(), kDim, values.begin() + row * kDim);
  const Index index = Index::open(build(folder, values, Metric::cosine));
  const std::vector<float> copied(values.begin(), values.begin() + kDim);
  const auto hits = fixture::search(index, copied, 30)[0];
  REQUIRE(hits.size() == 30);
  CHECK(hits[0].id == 0);
  for (std::size_t i = 1; i < 30; ++i) CHECK(hits[i].id == 999 + i);

  const std::vector<float> queries = fixture::clustered(100, kDim, 2);
  CHECK(fixture::recall(fixture::search(index, queries, 10, {.ef = 200}),
                        fixture::search(index, queries, 10, {.exact = true})) > 0.95);
}

TEST_CASE("an index of nothing but copies answers in order") {
  const TemporaryFolder folder;
  const std::vector<float> one = fixture::random_vectors(1, kDim, 1);
  std::vector<float> values;
  for (std::size_t row = 0; row < kRows; ++row) values.insert(values.end(), one.begin(), one.end());
  const Index index = Index::open(build(folder, values, GENERATE(Metric::cosine, Metric::l2, Metric::dot)));
  const auto hits = fixture::search(index, one, 7)[0];
  REQUIRE(hits.size() == 7);
  for (std::size_t i = 0; i < 7; ++i) CHECK(hits[i].id == i);
}

TEST_CASE("few rows are scanned, and have no graph") {
  const TemporaryFolder folder;
  const std::size_t rows = GENERATE(1, 2, 300);
  const std::vector<float> values = fixture::random_vectors(rows, kDim, 1);
  const std::string path = build(folder, values, Metric::l2);
  const Container container = Container::open(path, Check::all);
  for (const Section& section : container.sections()) CHECK(section.kind != SectionKind::graph_nodes);
  const Index index = Index::open(path);
  CHECK(fixture::same(fixture::search(index, values, 10), fixture::search(index, values, 10, {.exact = true})));
}

TEST_CASE("a mask of rows loses nothing, however few pass") {
  const TemporaryFolder folder;
  const fixture::OneStructure one(build(folder, fixture::clustered(kRows, kDim, 1), Metric::cosine));
  const fixture::EveryNth some(kRows, GENERATE(2, 30, 500, kRows));
  CAPTURE(some.passing);
  std::vector<TopK> expected(50, TopK(10));
  SearchCounts counts;
  const Segment& segment = one.opened.segments.front();
  PlainScan(segment, Metric::cosine).search(slice(segment.vectors, 0, 50), {}, some.mask(), expected, counts);
  fixture::Results exact;
  for (TopK& best : expected) exact.push_back(best.take());
  const auto found = one.search(50, 10, some.mask());
  CHECK(fixture::recall(found, exact) > 0.95);
  for (const auto& hits : found) {
    CHECK(hits.size() == std::min<std::size_t>(10, some.passing));
    for (const Hit& hit : hits) CHECK(some.mask()[hit.id]);
  }
}

TEST_CASE("as many hits as rows can be asked for") {
  const TemporaryFolder folder;
  const std::vector<float> values = fixture::clustered(kRows, kDim, 1);
  const Index index = Index::open(build(folder, values, Metric::l2));
  const auto hits = fixture::search(index, {values.begin(), values.begin() + kDim}, kRows)[0];
  CHECK(hits.size() > kRows * 99 / 100);
}

TEST_CASE("a graph of nonsense is damage, or gives wrong hits, but no more") {
  const TemporaryFolder folder;
  const std::string path = build(folder, fixture::clustered(kRows, kDim, 1), Metric::l2);
  const std::vector<float> queries = fixture::clustered(20, kDim, 2);
  const SectionKind kind = GENERATE(SectionKind::graph_nodes, SectionKind::graph_upper);
  std::mt19937 generator(7);
  std::size_t refused = 0;
  for (unsigned round = 0; round < 40; ++round) {
    const std::string other =
        fixture::with_changed(path, folder / "other.cbir", kind, [&](std::vector<std::byte>& bytes) {
          // A few numbers, and in every fourth round as many as there are.
          const std::size_t changes = round % 4 == 0 ? bytes.size() / 4 : 50;
          for (std::size_t i = 0; i < changes; ++i) {
            const auto number = static_cast<std::uint32_t>(round % 2 == 0 ? generator() : generator() % kRows);
            std::memcpy(bytes.data() + generator() % (bytes.size() / 4) * 4, &number, 4);
          }
        });
    try {
      const Index index = Index::open(other);
      for (const auto& hits : fixture::search(index, queries, 10))
        for (const Hit& hit : hits) CHECK(hit.id < kRows);
    } catch (const DamagedFile&) {
      ++refused;
    }
  }
  CHECK(refused > 0);
}

TEST_CASE("sections of a graph that are too short or too long are refused") {
  const TemporaryFolder folder;
  const std::string path = build(folder, fixture::clustered(kRows, kDim, 1), Metric::l2);
  const SectionKind kind = GENERATE(SectionKind::graph_nodes, SectionKind::graph_upper, SectionKind::centroids);
  const std::size_t size = GENERATE(0, 4, 64, 100000, 10000000);
  const std::string other = fixture::with_changed(path, folder / "other.cbir", kind,
                                                  [&](std::vector<std::byte>& bytes) { bytes.resize(size); });
  CHECK_THROWS_AS(Index::open(other), DamagedFile);
}

TEST_CASE("a link that leads nowhere is found by verifying the structure") {
  const TemporaryFolder folder;
  const std::string path = build(folder, fixture::clustered(kRows, kDim, 1), Metric::l2);
  CHECK_NOTHROW(fixture::OneStructure(path).structure->verify());
  const std::string other =
      fixture::with_changed(path, folder / "other.cbir", SectionKind::graph_nodes, [&](std::vector<std::byte>& bytes) {
        const std::uint32_t link = kRows;
        std::memcpy(bytes.data() + padded_codes(kDim) + sizeof(NodeTail), &link, sizeof link);
      });
  CHECK_THROWS_AS(fixture::OneStructure(other).structure->verify(), DamagedFile);
}

TEST_CASE("links and dimensions that a graph cannot have are refused") {
  IndexMeta meta;
  meta.dim = kDim;
  CHECK_THROWS_AS(HnswBuilder::create(meta, {.links = 1}), UsageError);
  CHECK_THROWS_AS(HnswBuilder::create(meta, {.links = kMaxLinks + 1}), UsageError);
  meta.dim = kMaxCodes + 1;
  CHECK_THROWS_AS(HnswBuilder::create(meta, {}), UsageError);
}

TEST_CASE("a pool keeps the best rows in order and gives each out once") {
  RowPool pool;
  pool.reset(3);
  CHECK(pool.offer(1, 10));
  CHECK(pool.offer(3, 30));
  std::uint32_t row = 0;
  REQUIRE(pool.next(row));
  CHECK(row == 30);
  CHECK(pool.offer(4, 40));
  CHECK_FALSE(pool.offer(0, 1));
  CHECK(pool.offer(2, 20));
  CHECK_FALSE(pool.offer(std::numeric_limits<float>::quiet_NaN(), 5));
  REQUIRE(pool.next(row));
  CHECK(row == 40);
  REQUIRE(pool.next(row));
  CHECK(row == 20);
  CHECK_FALSE(pool.next(row));
  REQUIRE(pool.rows().size() == 3);
  CHECK(pool.rows()[2].row == 20);
}

TEST_CASE("a set of rows tells new ones from those seen, however many there are") {
  RowSet set;
  for (std::uint32_t round = 0; round < 2; ++round) {
    for (std::uint32_t row = 0; row < 10000; ++row) REQUIRE(set.insert(row * 7919));
    for (std::uint32_t row = 0; row < 10000; ++row) REQUIRE_FALSE(set.insert(row * 7919));
    set.clear();
  }
}
