#include <cmath>

#include <cbir/base/error.hpp>
#include <cbir/index/report.hpp>
#include <tests/catch.hpp>

#include "index_fixture.hpp"

using namespace cbir;

namespace {

constexpr Cutoff kCutoff{.score = .871234567, .precision = .95, .recall = .25};

std::optional<double> stored(const std::string& path) {
  const Index index = Index::open(path);
  const auto& cutoff = index.info().cutoff;
  return cutoff ? std::optional(cutoff->score) : std::nullopt;
}

}  // namespace

TEST_CASE("a cut-off is stored, told, and replaced by the next one") {
  const TemporaryFolder folder;
  const std::string path = fixture::grown_index(folder, "flat", 20, 8);
  CHECK_FALSE(stored(path));
  const std::uint64_t generation = Index::open(path).info().generation;
  CutoffStore(path).store(kCutoff);
  const IndexInfo info = verify_index(path);
  CHECK(info.generation == generation + 1);
  REQUIRE(info.cutoff);
  CHECK(info.cutoff->score == kCutoff.score);
  CHECK(info.cutoff->precision == kCutoff.precision);
  CHECK(info.cutoff->recall == kCutoff.recall);
  CHECK(to_tsv(info).find("cutoff.score\t0.871234567\ncutoff.precision\t0.95\ncutoff.recall\t0.25\n") !=
        std::string::npos);
  CutoffStore(path).store({.score = -3, .precision = 1, .recall = 1});
  CHECK(stored(path) == -3);
  CHECK_NOTHROW(verify_index(path));
}

TEST_CASE("a cut-off stays when rows come and go, and when the index is rewritten") {
  const TemporaryFolder folder;
  const std::string path = fixture::grown_index(folder, "ivf", 50, 8);
  CutoffStore(path).store(kCutoff);
  fixture::write_set(folder, "more", fixture::random_vectors(5, 8, 9), 8, {"cat"}, {.normalization = "none"});
  add_to_index(path, {folder / "more"}, {.allow_mismatch = true});
  CHECK(stored(path) == kCutoff.score);
  remove_from_index(path, {.paths = {"more/1.jpg"}, .labels = {}});
  CHECK(stored(path) == kCutoff.score);
  compact_index(path, "", false);
  CHECK(stored(path) == kCutoff.score);
  recover_index(path, folder / "y.cbir", false);
  CHECK(stored(folder / "y.cbir") == kCutoff.score);
}

TEST_CASE("joined indexes have no cut-off, and it is told how many had one") {
  const TemporaryFolder folder;
  const std::string path = fixture::grown_index(folder, "flat", 20, 8);
  CutoffStore(path).store(kCutoff);
  build_index({folder / "part1"}, folder / "y.cbir", {});
  CHECK(merge_indexes({path, folder / "y.cbir"}, folder / "z.cbir", {}).cutoffs_dropped == 1);
  CHECK_FALSE(stored(folder / "z.cbir"));
}

TEST_CASE("while a cut-off is looked for nobody else changes the index, and readers do not wait") {
  const TemporaryFolder folder;
  const std::string path = fixture::grown_index(folder, "flat", 20, 8);
  const std::vector<std::byte> before = read_file(path);
  {
    const CutoffStore store(path);
    CHECK_THROWS_AS(remove_from_index(path, {.paths = {"part1/3.jpg"}, .labels = {}}), Locked);
    CHECK_THROWS_AS(CutoffStore(path), Locked);
    CHECK(Index::open(path).size() == 57);
  }
  CHECK((read_file(path) == before));  // nothing was stored
}

TEST_CASE("what is no number is not stored") {
  const TemporaryFolder folder;
  const std::string path = fixture::grown_index(folder, "flat", 20, 8);
  CHECK_THROWS_AS(CutoffStore(path).store({.score = NAN, .precision = 1, .recall = 1}), UsageError);
  CHECK_FALSE(stored(path));
  CHECK_THROWS_AS(CutoffStore(folder / "none.cbir"), MissingInput);
}
