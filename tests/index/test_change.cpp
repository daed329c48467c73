#include <sys/stat.h>

#include <algorithm>
#include <random>

#include <cbir/base/error.hpp>
#include <cbir/base/parallel.hpp>
#include <lib/index/change.hpp>
#include <lib/index/live_rows.hpp>
#include <lib/index/sets.hpp>
#include <lib/index/topk.hpp>
#include <tests/catch.hpp>
#include <tests/index/index_fixture.hpp>

using namespace cbir;
using fixture::random_vectors;
using fixture::write_set;

namespace {

constexpr std::size_t kDim = 16;

/// One index of three rows with labels cat, dog and none: "one/0.jpg", ...
std::string three_rows(const TemporaryFolder& folder, const Manifest& manifest = {}) {
  write_set(folder, "one", random_vectors(3, kDim, 1), kDim, {"cat", "dog", ""}, manifest);
  write_set(folder, "two", random_vectors(3, kDim, 2), kDim, {"dog", ""}, manifest);
  build_index({folder / "one"}, folder / "x.cbir", {.force = true});
  return folder / "x.cbir";
}

std::vector<std::string> paths_of(const Index& index) {
  std::vector<std::string> paths;
  for (std::uint64_t i = 0; i < index.size(); ++i) paths.push_back(index.row(i).path);
  return paths;
}

std::vector<std::uint64_t> ids_of(const Index& index) {
  std::vector<std::uint64_t> ids;
  for (std::uint64_t i = 0; i < index.size(); ++i) ids.push_back(index.id(i));
  return ids;
}

using Positions = std::vector<std::uint64_t>;
using Paths = std::vector<std::string>;

/// Counts what an append writes.
struct CountedFile : ChangedFile {
  CountedFile(const std::string& path, std::uint64_t& bytes) : ChangedFile(path), written(bytes) {}
  void write_at(std::uint64_t offset, Bytes data) override {
    written += data.size();
    ChangedFile::write_at(offset, data);
  }
  std::uint64_t& written;
};

/// A disk that fails at its n-th call, and says how often it was called after that.
struct FailingFile : ChangedFile {
  FailingFile(const std::string& path, int calls, int& after) : ChangedFile(path), left(calls), calls_after(after) {}
  void call() {
    if (left < 0) ++calls_after;
    if (left-- <= 0) throw OutputError("the disk broke");
  }
  void write_at(std::uint64_t offset, Bytes data) override {
    call();
    ChangedFile::write_at(offset, data);
  }
  void sync() override {
    call();
    ChangedFile::sync();
  }
  int left;
  int& calls_after;
};

}  // namespace

TEST_CASE("rows that are added get the next ids, and are found as those that were built in") {
  const TemporaryFolder folder;
  const std::string path = three_rows(folder);
  const ChangeReport report = add_to_index(path, {folder / "two"}, {});
  CHECK(report.added == 3);
  CHECK(report.rows == 6);
  const Index index = Index::open(path);
  CHECK(report.bytes == index.info().bytes);
  CHECK(index.info().segments == 2);
  CHECK(ids_of(index) == Positions{0, 1, 2, 3, 4, 5});
  CHECK(index.find_path("two/1.jpg") == Positions{4});
  CHECK(index.find_label("dog") == Positions{1, 3, 5});
  CHECK(index.search({index.vector(4).data(), 1, kDim}, 1)[0][0].id == 4);
  CHECK_NOTHROW(verify_index(path));
}

TEST_CASE("rows that are removed are nowhere any more, and the others keep their ids") {
  const TemporaryFolder folder;
  const std::string path = three_rows(folder);
  add_to_index(path, {folder / "two"}, {});
  const Index before = Index::open(path);
  const std::span<const float> gone = before.vector(1);
  CHECK(remove_from_index(path, {.paths = {"one/1.jpg", "two/2.jpg"}, .labels = {}}).removed == 2);
  const Index index = Index::open(path);
  CHECK(index.size() == 4);
  CHECK(index.info().removed == 2);
  CHECK(paths_of(index) == Paths{"one/0.jpg", "one/2.jpg", "two/0.jpg", "two/1.jpg"});
  CHECK(ids_of(index) == Positions{0, 2, 3, 4});
  CHECK(index.position_of(3) == 2);
  CHECK_FALSE(index.position_of(1));
  CHECK_FALSE(index.position_of(5));
  CHECK(index.find_path("one/1.jpg").empty());
  CHECK(index.find_label("dog") == Positions{2});
  CHECK_THROWS_AS(index.row(4), UsageError);
  for (const bool exact : {false, true}) {
    SearchCounts counts;
    const std::vector<Hit> hits = index.search({gone.data(), 1, kDim}, 6, {.exact = exact}, counts)[0];
    CHECK(hits.size() == 4);
    CHECK(std::ranges::none_of(hits, [](const Hit& hit) { return hit.id == 1 || hit.id == 5; }));
  }
  const std::vector<Hit> ranking = index.search({gone.data(), 1, kDim}, 4)[0];
  index.score_all({gone.data(), 1, kDim}, [&](std::size_t, MatrixView<const float> scores) {
    REQUIRE(scores.cols == 4);
    for (const Hit& hit : ranking) CHECK(scores.row(0)[*index.position_of(hit.id)] == hit.score);
  });
  CHECK_NOTHROW(verify_index(path));
  add_to_index(path, {folder / "one"}, {.replace = true});  // ids are never given again
  CHECK(ids_of(Index::open(path)) == Positions{3, 4, 6, 7, 8});
}

TEST_CASE("removal by label takes all rows of it, and of several selections the union") {
  const TemporaryFolder folder;
  const std::string path = three_rows(folder);
  add_to_index(path, {folder / "two"}, {});
  CHECK(remove_from_index(path, {.paths = {"one/1.jpg", "one/1.jpg"}, .labels = {"dog", "cat"}}).removed == 4);
  CHECK(paths_of(Index::open(path)) == Paths{"one/2.jpg", "two/1.jpg"});
}

TEST_CASE("what is not there cannot be removed, and nothing else is then") {
  const TemporaryFolder folder;
  const std::string path = three_rows(folder);
  const std::vector<std::byte> before = read_file(path);
  for (const RowSelection& selection :
       {RowSelection{.paths = {"one/0.jpg", "none"}, .labels = {}},
        RowSelection{.paths = {}, .labels = {"cat", "bird"}}, RowSelection{.paths = {}, .labels = {""}}})
    CHECK_THROWS_AS(remove_from_index(path, selection), MissingInput);
  CHECK_THROWS_AS(remove_from_index(path, {}), UsageError);
  CHECK((read_file(path) == before));
}

TEST_CASE("an index without rows is still an index") {
  const TemporaryFolder folder;
  const std::string path = three_rows(folder);
  CHECK(remove_from_index(path, {.paths = {"one/2.jpg"}, .labels = {"cat", "dog"}}).rows == 0);
  const std::vector<float> query = random_vectors(1, kDim, 5);
  {
    const Index index = Index::open(path);
    CHECK(index.size() == 0);
    CHECK(index.search({query.data(), 1, kDim}, 3)[0].empty());
    CHECK_NOTHROW(index.score_all({query.data(), 1, kDim}, [](std::size_t, MatrixView<const float>) {}));
  }
  CHECK(verify_index(path).removed == 3);
  CHECK_THROWS_AS(compact_index(path, "", false), MissingInput);
  CHECK_THROWS_AS(export_index(path, folder / "out", false), MissingInput);
  CHECK(add_to_index(path, {folder / "one"}, {}).rows == 3);
  CHECK(ids_of(Index::open(path)) == Positions{3, 4, 5});
}

TEST_CASE("a path that is there already is refused, or its row replaced in the same step") {
  const TemporaryFolder folder;
  const std::string path = three_rows(folder);
  write_set(folder, "one", random_vectors(2, kDim, 7), kDim);
  const std::vector<std::byte> before = read_file(path);
  CHECK_THROWS_WITH(add_to_index(path, {folder / "one"}, {}), Catch::Contains("one/0.jpg is in it already"));
  CHECK((read_file(path) == before));
  const ChangeReport report = add_to_index(path, {folder / "one"}, {.replace = true});
  CHECK(report.added == 2);
  CHECK(report.removed == 2);
  const Index index = Index::open(path);
  CHECK(index.info().generation == 3);
  CHECK(paths_of(index) == Paths{"one/2.jpg", "one/0.jpg", "one/1.jpg"});
  CHECK(ids_of(index) == Positions{2, 3, 4});
}

TEST_CASE("rows of a bare .npy are called by their numbers in it, or by their ids") {
  const TemporaryFolder folder;
  const std::string path = fixture::build(folder, random_vectors(3, 4, 1), 4, Metric::dot);
  CHECK_THROWS_AS(add_to_index(path, {folder / "x.npy"}, {}), Incompatible);
  add_to_index(path, {folder / "x.npy", folder / "x.npy"}, {.name_by_id = true});
  CHECK(paths_of(Index::open(path)) == Paths{"0", "1", "2", "3", "4", "5", "6", "7", "8"});
}

TEST_CASE("sets that do not go with the index are refused") {
  const TemporaryFolder folder;
  const std::string path = three_rows(folder, {.encoder = "net", .fingerprint = std::string(64, 'a')});
  write_set(folder, "other", random_vectors(2, kDim, 3), kDim, {""}, {.fingerprint = std::string(64, 'b')});
  write_set(folder, "wide", random_vectors(2, kDim + 1, 3), kDim + 1, {""}, {.fingerprint = std::string(64, 'a')});
  CHECK_THROWS_WITH(add_to_index(path, {folder / "other"}, {}), Catch::Contains("--allow-mismatch"));
  CHECK_THROWS_AS(add_to_index(path, {folder / "wide"}, {.allow_mismatch = true}), Incompatible);
  CHECK(add_to_index(path, {folder / "other"}, {.allow_mismatch = true}).rows == 5);
  CHECK(Index::open(path).info().fingerprint == std::string(64, 'a'));
}

TEST_CASE("without fingerprints metric and normalisation must agree") {
  const TemporaryFolder folder;
  write_set(folder, "unit", random_vectors(2, kDim, 1), kDim, {""}, {.metric = "dot"});
  write_set(folder, "long", random_vectors(2, kDim, 2), kDim, {""}, {.metric = "dot", .normalization = "none"});
  write_set(folder, "l2", random_vectors(2, kDim, 3), kDim, {""}, {.metric = "l2"});
  build_index({folder / "unit"}, folder / "x.cbir", {});
  CHECK(Index::open(folder / "x.cbir").info().normalization == "l2");
  CHECK_THROWS_AS(add_to_index(folder / "x.cbir", {folder / "l2"}, {}), Incompatible);
  CHECK_THROWS_AS(add_to_index(folder / "x.cbir", {folder / "long"}, {}), Incompatible);
  add_to_index(folder / "x.cbir", {folder / "long"}, {.allow_mismatch = true});
  CHECK(Index::open(folder / "x.cbir").info().normalization == "none");
  CHECK(verify_index(folder / "x.cbir").segments == 2);
}

TEST_CASE("an append writes in proportion to what is added, and leaves what is there alone") {
  const TemporaryFolder folder;
  const std::size_t rows = 50'000, added = 1000, dim = 32;
  for (const std::string& type : fixture::index_types()) {
    const std::string path = folder / (type + ".cbir");
    write_set(folder, "base", random_vectors(rows, dim, 1), dim);
    write_set(folder, "more", random_vectors(added, dim, 2), dim);
    build_index({folder / "base"}, path, {.type = type});
    const std::vector<std::byte> before = read_file(path);
    std::uint64_t written = 0;
    ContainerAppender appender(std::make_unique<CountedFile>(path, written));
    add_rows(appender, open_sets({folder / "more"}, false), {});
    const std::uint64_t own = added * dim * sizeof(float) + read_file(folder / "more.rows.jsonl").size();
    INFO(type << ": " << written << " bytes for " << own);
    CHECK(written < 2 * own + 65536);
    const std::vector<std::byte> after = read_file(path);
    CHECK(std::equal(before.begin() + 4096, before.end(), after.begin() + 4096));
  }
}

TEST_CASE("after an error nothing more is written, and the index is as it was") {
  const TemporaryFolder folder;
  const std::string path = three_rows(folder);
  const std::vector<std::byte> before = read_file(path);
  /// Whether the change was made, with a disk that fails at that call.
  const auto attempt = [&](int calls, int& after) {
    write_file(path, as_text(before), true);
    try {
      ContainerAppender appender(std::make_unique<FailingFile>(path, calls, after));
      add_rows(appender, open_sets({folder / "two"}, false), {});
      return true;
    } catch (const OutputError&) {
      return false;
    }
  };
  int needed = 0, after = 0;
  while (!attempt(needed, after)) ++needed;
  CHECK(Index::open(path).size() == 6);
  REQUIRE(needed >= 4);  // sections and table, fsync, root record, fsync
  for (int calls = 0; calls < needed; ++calls) {
    INFO("call " << calls << " of " << needed << " fails");
    CHECK_FALSE(attempt(calls, after));
    if (calls < needed - 2) CHECK((read_file(path) == before));  // after that the root record may be there
    CHECK_NOTHROW(verify_index(path));
  }
  CHECK(after == 0);
}

TEST_CASE("a change that was poisoned can be tried again only by another") {
  const TemporaryFolder folder;
  const std::string path = three_rows(folder);
  int after = 0;
  ContainerAppender appender(std::make_unique<FailingFile>(path, 1, after));  // at the first fsync
  CHECK_THROWS_AS(add_rows(appender, open_sets({folder / "two"}, false), {}), OutputError);
  CHECK_THROWS_AS(appender.commit(10), OutputError);
  CHECK(after == 0);
}

TEST_CASE("one writer at a time") {
  const TemporaryFolder folder;
  const std::string path = three_rows(folder);
  const ContainerAppender appender(path);
  CHECK_THROWS_AS(add_to_index(path, {folder / "two"}, {}), Locked);
  CHECK_THROWS_AS(remove_from_index(path, {.paths = {"one/0.jpg"}, .labels = {}}), Locked);
  CHECK_THROWS_AS(compact_index(path, "", false), Locked);
  CHECK_THROWS_AS(build_index({folder / "two"}, path, {.force = true}), Locked);
  CHECK(Index::open(path).size() == 3);  // readers do not wait
}

TEST_CASE("compact leaves the rows, their ids and the answers, and nothing else") {
  const TemporaryFolder folder;
  const ThreadLimit one_thread(1);  // the graphs of two runs are the same only then
  for (const std::string& type : fixture::index_types()) {
    INFO(type);
    const std::string path = fixture::grown_index(folder, type, 50, kDim);
    chmod(path.c_str(), 0640);
    const Index before = Index::open(path);
    const std::vector<float> queries = random_vectors(20, kDim, 9);
    const MatrixView<const float> all(queries.data(), 20, kDim);
    SearchCounts counts;
    const auto expected = before.search(all, 10, {.exact = true}, counts);
    compact_index(path, folder / "y.cbir", true);
    compact_index(path, "", false);
    CHECK((read_file(path) == read_file(folder / "y.cbir")));
    struct stat status {};
    REQUIRE(stat(path.c_str(), &status) == 0);
    CHECK((status.st_mode & 07777) == 0640);
    const Index after = Index::open(path);
    CHECK(after.info().segments == 1);
    CHECK(after.info().removed == 0);
    CHECK(after.info().parts.count("unused") == 0);
    CHECK(paths_of(after) == paths_of(before));
    CHECK(ids_of(after) == ids_of(before));
    const auto found = after.search(all, 10, {.exact = true}, counts);
    for (std::size_t q = 0; q < 20; ++q)
      CHECK(std::ranges::equal(found[q], expected[q],
                               [](const Hit& a, const Hit& b) { return a.id == b.id && a.score == b.score; }));
    CHECK_NOTHROW(verify_index(path));
    CHECK(add_to_index(path, {folder / "part1"}, {.replace = true, .allow_mismatch = true}).rows == 149);
  }
}

TEST_CASE("an exported index builds the same index again") {
  const TemporaryFolder folder;
  for (const Metric metric : {Metric::cosine, Metric::dot, Metric::l2}) {
    const std::string path = fixture::grown_index(folder, "flat", 30, 20, metric);
    CHECK(export_index(path, folder / "out", true) == 87);
    build_index({folder / "out"}, folder / "again.cbir", {.force = true});
    const Index one = Index::open(path), two = Index::open(folder / "again.cbir");
    CHECK(two.info().metric == metric);
    CHECK(paths_of(one) == paths_of(two));
    CHECK(one.find_label("cat") == two.find_label("cat"));
    for (std::uint64_t i = 0; i < one.size(); ++i) CHECK(std::ranges::equal(one.vector(i), two.vector(i)));
  }
  CHECK_THROWS_AS(export_index(folder / "flat.cbir", folder / "out", false), OutputError);
}

TEST_CASE("indexes are merged in order; ids stay if they can") {
  const TemporaryFolder folder;
  const std::string path = three_rows(folder);
  build_index({folder / "two"}, folder / "y.cbir", {});
  CHECK_FALSE(merge_indexes({path, folder / "y.cbir"}, folder / "z.cbir", {}).ids_kept);
  CHECK(paths_of(Index::open(folder / "z.cbir")) ==
        Paths{"one/0.jpg", "one/1.jpg", "one/2.jpg", "two/0.jpg", "two/1.jpg", "two/2.jpg"});
  CHECK(ids_of(Index::open(folder / "z.cbir")) == Positions{0, 1, 2, 3, 4, 5});
  remove_from_index(folder / "z.cbir", {.paths = {"one/0.jpg", "one/1.jpg", "one/2.jpg"}, .labels = {}});
  CHECK(merge_indexes({path, folder / "z.cbir"}, folder / "w.cbir", {}).ids_kept);
  CHECK(ids_of(Index::open(folder / "w.cbir")) == Positions{0, 1, 2, 3, 4, 5});
  CHECK_NOTHROW(verify_index(folder / "w.cbir"));
  CHECK_THROWS_AS(merge_indexes({path, folder / "y.cbir"}, path, {.force = true}), UsageError);
}

TEST_CASE("indexes that do not belong together are not merged") {
  const TemporaryFolder folder;
  write_set(folder, "a", random_vectors(3, 4, 1), 4, {""}, {.fingerprint = std::string(64, 'a')});
  write_set(folder, "b", random_vectors(3, 4, 1), 4, {""}, {.fingerprint = std::string(64, 'b')});
  for (const char* name : {"a", "b"}) build_index({folder / name}, folder / (std::string(name) + ".cbir"), {});
  build_index({folder / "a"}, folder / "l2.cbir", {.metric = Metric::l2, .metric_given = true});
  CHECK_THROWS_AS(merge_indexes({folder / "a.cbir", folder / "b.cbir"}, folder / "c.cbir", {}), Incompatible);
  CHECK_THROWS_AS(merge_indexes({folder / "a.cbir", folder / "l2.cbir"}, folder / "c.cbir", {}), Incompatible);
  CHECK(merge_indexes({folder / "a.cbir", folder / "b.cbir"}, folder / "c.cbir", {.allow_mismatch = true}).rows == 6);
}

TEST_CASE("rows that are left are counted by rank and select") {
  std::mt19937 generator(1);
  for (const std::size_t rows : {1, 63, 64, 65, 511, 512, 513, 3000}) {
    for (const unsigned share : {0U, 1U, 50U, 99U, 100U}) {
      std::vector<std::uint64_t> removed((rows + 63) / 64);
      std::vector<std::size_t> left;
      for (std::size_t row = 0; row < rows; ++row) {
        if (generator() % 100 < share) removed[row / 64] |= std::uint64_t{1} << row % 64;
        else left.push_back(row);
      }
      const LiveRows live(rows, removed);
      REQUIRE(live.count() == left.size());
      for (std::size_t n = 0; n < left.size(); ++n) {
        REQUIRE(live.select(n) == left[n]);
        REQUIRE(live.rank(left[n]) == n);
        REQUIRE(live[left[n]]);
      }
    }
  }
  CHECK(LiveRows(7, {}).every());
  CHECK(LiveRows(7, {}).select(3) == 3);
}
