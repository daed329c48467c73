#include <cbir/eval/rankings.hpp>

#include <mutex>

#include <cbir/base/error.hpp>
#include <cbir/base/file.hpp>
#include <tests/catch.hpp>
#include <tests/temporary.hpp>

namespace {

using cbir::RankedItem;
using cbir::Rankings;

/// A bare .npy of vectors with two components.
void write_vectors(const std::string& path, const std::vector<float>& values) {
  std::string header =
      "{'descr': '<f4', 'fortran_order': False, 'shape': (" + std::to_string(values.size() / 2) + ", 2), }";
  header.resize(117, ' ');
  header += '\n';
  std::string file("\x93NUMPY\x01\x00\x76\x00", 10);
  file += header;
  file.append(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float));
  cbir::write_file(path, file, true);
}

/// Names and ranks: "b1 a2".
std::string text(const Rankings& rankings, const std::vector<RankedItem>& items) {
  std::string text;
  for (const RankedItem& each : items)
    text += (text.empty() ? "" : " ") + rankings.items()[each.item] + std::to_string(each.rank);
  return text;
}

}  // namespace

TEST_CASE("A run is ranked as it says; what it holds twice counts where it is first") {
  const TemporaryFolder folder;
  cbir::write_file(folder / "run", "q\t1\t9\tb\nq\t2\t8\ta\nq\t3\t7\tb\nq\t4\t6\tc\nr\t1\t1\tc\n", true);
  const Rankings rankings = Rankings::open({.name = folder / "run"});
  CHECK(rankings.is_run());
  CHECK(rankings.doubles() == 1);
  CHECK(rankings.items() == std::vector<std::string>{"b", "a", "c"});
  CHECK(rankings.queries() == std::vector<std::string>{"q", "r"});
  const std::vector<std::size_t> chosen = {0};
  rankings.each(chosen, [&](std::size_t i, const cbir::QueryRanking& ranking) {
    CHECK(i == 0);
    CHECK(ranking.size() == 3);
    CHECK(text(rankings, ranking.first(2)) == "b1 a2");
    CHECK(text(rankings, ranking.find(std::vector<std::uint32_t>{0, 2})) == "b1 c3");
    CHECK(ranking.find(std::vector<std::uint32_t>{0, 2})[1].score == 6);
    CHECK(ranking.scores(std::vector<std::uint32_t>{1}) == std::vector<float>{9, 6});
  });
}

TEST_CASE("A set is searched; equal scores rank by row") {
  const TemporaryFolder folder;
  write_vectors(folder / "rows.npy", {1, 0, 0, 1, 2, 2, 1, 0});
  write_vectors(folder / "queries.npy", {0, 1, 1, 0});
  const Rankings rankings =
      Rankings::open({.name = folder / "rows.npy", .queries = folder / "queries.npy", .metric = cbir::Metric::dot});
  CHECK_FALSE(rankings.is_run());
  CHECK_FALSE(rankings.queries_itself());
  const std::vector<std::size_t> chosen = {1, 0};
  std::vector<std::string> first(2), found(2);
  std::mutex mutex;
  rankings.each(chosen, [&](std::size_t i, const cbir::QueryRanking& ranking) {
    const std::lock_guard lock(mutex);
    first[i] = text(rankings, ranking.first(10));
    found[i] = text(rankings, ranking.find(std::vector<std::uint32_t>{0, 1, 3}));
    CHECK(ranking.scores(std::vector<std::uint32_t>{0, 3}).size() == 2);
  });
  CHECK(first[0] == "21 02 33 14");  // of the query (1, 0)
  CHECK(found[0] == "02 33 14");
  CHECK(first[1] == "21 12 03 34");
}

TEST_CASE("Rows that query their own set are its queries") {
  const TemporaryFolder folder;
  write_vectors(folder / "rows.npy", {1, 0, 0, 1});
  const Rankings rankings = Rankings::open({.name = folder / "rows.npy"});
  CHECK(rankings.queries_itself());
  CHECK(rankings.queries() == rankings.items());
}

TEST_CASE("A run has its own queries and scores") {
  const TemporaryFolder folder;
  cbir::write_file(folder / "run", "q\t1\t9\tb\n", true);
  CHECK_THROWS_AS(Rankings::open({.name = folder / "run", .queries = "queries.npy"}), cbir::UsageError);
  CHECK_THROWS_AS(Rankings::open({.name = folder / "run", .metric = cbir::Metric::l2}), cbir::UsageError);
  CHECK_THROWS_AS(Rankings::open({.name = folder / "nothing"}), cbir::MissingInput);
}
