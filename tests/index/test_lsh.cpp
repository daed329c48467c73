#include <lib/index/lsh.hpp>

#include <bit>
#include <random>

#include <lib/index/lsh_kernels.hpp>
#include <lib/index/plain_scan.hpp>
#include <tests/catch.hpp>
#include <tests/index/structure_fixture.hpp>
#include <tests/index/targets.hpp>

using namespace cbir;

namespace {

constexpr std::size_t kDim = 24, kRows = 5001;

std::string build(const TemporaryFolder& folder, std::span<const float> values, Metric metric,
                  StructureOptions structure = {}) {
  return fixture::build_type(folder, "lsh", values, kDim, metric, structure);
}

std::vector<std::uint8_t> bytes(std::size_t count, unsigned seed) {
  std::mt19937 generator(seed);
  std::vector<std::uint8_t> out(count);
  for (std::uint8_t& byte : out) byte = static_cast<std::uint8_t>(generator());
  return out;
}

/// Compares a kernel's distances with those of a plain loop.
void check_distances(std::size_t code_bytes, std::size_t query_count, std::vector<std::uint8_t> groups) {
  const std::size_t group_bytes = code_bytes * kHammingGroup, count = groups.size() / group_bytes;
  std::vector<std::uint8_t> queries = bytes(query_count * code_bytes, 5), prepared(queries.size() * kHammingGroup);
  for (std::size_t i = 0; i < code_bytes; ++i)  // a row that differs from the first query in every bit
    groups[i * kHammingGroup + 3] = static_cast<std::uint8_t>(~queries[i]);
  HammingTile tile{groups.data(), count, code_bytes, query_count, {}, {}};
  for (std::size_t q = 0; q < query_count; ++q) {
    prepare_hamming_query(std::span(queries).subspan(q * code_bytes, code_bytes), &prepared[q * group_bytes]);
    tile.queries[q] = &prepared[q * group_bytes];
    tile.limits[q] = static_cast<std::uint16_t>(code_bytes * 4 + q);
  }
  std::vector<std::uint16_t> distances(query_count * count * kHammingGroup);
  std::vector<std::uint32_t> within(query_count * count);
  hamming_distances(tile, distances.data(), within.data());
  std::size_t wrong = 0;
  for (std::size_t at = 0; at < distances.size(); ++at) {
    const std::size_t q = at / kHammingGroup / count, g = at / kHammingGroup % count, row = at % kHammingGroup;
    int expected = 0;
    for (std::size_t i = 0; i < code_bytes; ++i)
      expected +=
          std::popcount(unsigned{groups[(g * code_bytes + i) * kHammingGroup + row]} ^ queries[q * code_bytes + i]);
    wrong += distances[at] != expected;
    wrong += (within[at / kHammingGroup] >> row & 1U) != (expected <= tile.limits[q] ? 1U : 0U);
  }
  CHECK(wrong == 0);
}

}  // namespace

TEST_CASE("Hamming distances are those of the plain loop, with every instruction set") {
  fixture::for_each_target([] {
    for (const std::size_t code_bytes : {8, 16, 32, 64, 72, 128, 512})
      for (std::size_t queries = 1; queries <= kHammingQueries; ++queries)
        check_distances(code_bytes, queries, bytes(5 * code_bytes * kHammingGroup, 4));
  });
}

TEST_CASE("lsh finds nearly what exact search finds, with the same scores") {
  const TemporaryFolder folder;
  const auto [metric, spread, shift] = GENERATE(table<Metric, float, float>({{Metric::cosine, 0.0F, 0.0F},
                                                                             {Metric::cosine, 0.0F, 3.0F},
                                                                             {Metric::l2, 0.0F, 0.0F},
                                                                             {Metric::l2, 0.0F, 100.0F},
                                                                             {Metric::dot, 0.0F, 0.0F},
                                                                             {Metric::dot, 0.5F, 0.0F}}));
  CAPTURE(to_string(metric), spread, shift);
  const Index index = Index::open(build(folder, fixture::clustered(kRows, kDim, 1, spread, shift), metric));
  const std::vector<float> queries = fixture::clustered(100, kDim, 2, spread, shift);
  const auto exact = fixture::search(index, queries, 10, {.exact = true});
  CHECK(fixture::recall(fixture::search(index, queries, 10), exact) > 0.95);
  CHECK(fixture::recall(fixture::search(index, queries, 10, {.candidates = kRows}), exact) == 1.0);
}

TEST_CASE("what lsh finds depends neither on threads, nor on other queries, nor on the instruction set") {
  const TemporaryFolder folder;
  // Many rows share a code of 64 bits, so that ties matter.
  const std::string path = build(folder, fixture::clustered(60000, kDim, 1), Metric::cosine, {.bits = 64});
  const Index index = Index::open(path);
  const std::vector<float> queries = fixture::clustered(21, kDim, 2);
  const SearchEffort effort{.candidates = 100};
  const auto together = fixture::search(index, queries, 10, effort);
  {
    const ThreadLimit one(1);
    CHECK(fixture::same(fixture::search(index, queries, 10, effort), together));
  }
  fixture::Results single;
  for (std::size_t q = 0; q < 21; ++q)
    single.push_back(fixture::search(index,
                                     {queries.begin() + static_cast<std::ptrdiff_t>(q * kDim),
                                      queries.begin() + static_cast<std::ptrdiff_t>((q + 1) * kDim)},
                                     10, effort)[0]);
  CHECK(fixture::same(single, together));
}

TEST_CASE("the same seed gives the same bytes with any number of threads, another seed others") {
  const TemporaryFolder first, second;
  const std::vector<float> values = fixture::clustered(kRows, kDim, 1);
  const auto many = read_file(build(first, values, Metric::dot));
  const ThreadLimit one(1);
  CHECK(many == read_file(build(second, values, Metric::dot)));
  CHECK(many != read_file(build(second, values, Metric::dot, {.seed = 2})));
}

TEST_CASE("lsh returns rows of the mask alone") {
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
  CHECK(fixture::recall(one.search(50, 10, some.mask()), exact) > 0.95);
}

TEST_CASE("one row, two rows and rows without direction make an index") {
  const TemporaryFolder folder;
  const std::size_t rows = GENERATE(1, 2, 33);
  const Index index = Index::open(build(folder, std::vector<float>(rows * kDim, 0.0F), Metric::l2));
  const auto hits = fixture::search(index, std::vector<float>(kDim, 1.0F), 5)[0];
  CHECK(hits.size() == std::min<std::size_t>(5, rows));
  for (std::size_t i = 0; i < hits.size(); ++i) CHECK(hits[i].id == i);
}

TEST_CASE("codes and hyperplanes of another size are refused") {
  const TemporaryFolder folder;
  const std::string path = build(folder, fixture::clustered(100, kDim, 1), Metric::l2);
  const SectionKind kind = GENERATE(SectionKind::hyperplane_codes, SectionKind::hyperplanes);
  const std::size_t size = GENERATE(0, 4, 1000000);
  const std::string other = fixture::with_changed(path, folder / "other.cbir", kind,
                                                  [&](std::vector<std::byte>& content) { content.resize(size); });
  CHECK_THROWS_AS(Index::open(other), DamagedFile);
}

TEST_CASE("a code that is not its vector's is found by verifying the structure") {
  const TemporaryFolder folder;
  const std::string path = build(folder, fixture::clustered(100, kDim, 1), Metric::l2);
  CHECK_NOTHROW(fixture::OneStructure(path).structure->verify());
  const std::string other = fixture::with_changed(path, folder / "other.cbir", SectionKind::hyperplane_codes,
                                                  [&](std::vector<std::byte>& content) {
                                                    for (std::size_t i = 0; i < 32; ++i)
                                                      content[i * kHammingGroup + 7] = ~content[i * kHammingGroup + 7];
                                                  });
  CHECK_THROWS_AS(fixture::OneStructure(other).structure->verify(), DamagedFile);
}

TEST_CASE("numbers of bits that codes cannot have are refused") {
  IndexMeta meta;
  meta.dim = kDim;
  for (const std::size_t bits : {0, 100, 8192}) CHECK_THROWS_AS(LshBuilder::create(meta, {.bits = bits}), UsageError);
}
