#include <cbir/query/query.hpp>

#include <string>
#include <vector>

#include <cbir/base/error.hpp>
#include <cbir/base/file.hpp>
#include <tests/catch.hpp>
#include <tests/temporary.hpp>

#include "fake_encoder.hpp"
#include "pictures.hpp"

using namespace cbir;

namespace {

std::string write_npy(const std::string& path, const std::vector<std::vector<float>>& rows) {
  std::string text = npy_header(Dtype::float32, rows.size(), rows.front().size());
  std::vector<std::byte> items;
  for (const auto& row : rows) append_items(items, row, Dtype::float32);
  write_file(path, text + std::string(as_text(items)), true);
  return path;
}

/// Four rows around a circle, at 0, 10, 90 and 180 degrees.
Index make_index(const TemporaryFolder& folder) {
  const std::string set = write_npy(folder / "x.npy", {{1, 0}, {0.985F, 0.174F}, {0, 1}, {-1, 0}});
  build_index({set}, folder / "x.cbir", {});
  return Index::open(folder / "x.cbir");
}

/// An index of all pictures in these folders.
Index index_folders(const TemporaryFolder& folder, const std::vector<std::string>& folders,
                    const EncoderChoice& choice) {
  ExtractOptions options;
  options.output = folder / "set";
  extract(list_paths(folders, {}), choice, options);
  build_index({options.output}, folder / "x.cbir", {});
  return Index::open(folder / "x.cbir");
}

struct Collected {
  std::vector<Ranking> rankings;
  RankingSink sink() {
    return [this](const Ranking& ranking) { rankings.push_back(ranking); };
  }
  std::vector<std::uint64_t> ids(std::size_t query) const {
    std::vector<std::uint64_t> out;
    for (const RankedRow& row : rankings.at(query).results) out.push_back(row.id);
    return out;
  }
};

using Ids = std::vector<std::uint64_t>;

}  // namespace

TEST_CASE("vectors ask in order, named by their rows") {
  const TemporaryFolder folder;
  const Index index = make_index(folder);
  Collected found;
  const auto vectors = EmbeddingSet::open(write_npy(folder / "q.npy", {{0, 2}, {-1, -0.1F}}));
  const QueryReport report = query_vectors(index, vectors, false, {.k = 2}, found.sink());
  CHECK(report.queries == 2);
  CHECK(report.results == 4);
  CHECK(found.rankings[0].query == "0");
  CHECK(found.rankings[1].query == "1");
  CHECK(found.ids(0) == Ids{2, 1});
  CHECK(found.ids(1) == Ids{3, 2});
  CHECK(found.rankings[0].results[0].score == Approx(1));
  CHECK(found.rankings[0].results[0].path == "2");
}

TEST_CASE("many blocks of vectors rank as one at a time") {
  const TemporaryFolder folder;
  const Index index = make_index(folder);
  std::vector<std::vector<float>> rows;
  for (int i = 0; i < 3000; ++i) rows.push_back({std::cos(static_cast<float>(i)), std::sin(static_cast<float>(i))});
  Collected all;
  query_vectors(index, EmbeddingSet::open(write_npy(folder / "q.npy", rows)), false, {.k = 4}, all.sink());
  REQUIRE(all.rankings.size() == rows.size());
  for (const std::size_t i : {std::size_t{0}, std::size_t{1023}, std::size_t{1024}, std::size_t{2999}}) {
    Collected one;
    query_vectors(index, EmbeddingSet::open(write_npy(folder / "one.npy", {rows[i]})), false, {.k = 4}, one.sink());
    CHECK(all.rankings[i].query == std::to_string(i));
    CHECK(all.ids(i) == one.ids(0));
  }
}

TEST_CASE("vectors that cannot be ranked are refused, with their row") {
  const TemporaryFolder folder;
  const Index index = make_index(folder);
  const auto ask = [&](const std::vector<std::vector<float>>& rows) {
    query_vectors(index, EmbeddingSet::open(write_npy(folder / "q.npy", rows)), false, {}, [](const Ranking&) {});
  };
  CHECK_THROWS_AS(ask({{1, 0, 0}}), Incompatible);
  CHECK_THROWS_AS(ask({{1, 0}, {NAN, 0}}), DamagedFile);
  CHECK_THROWS_AS(ask({{1, 0}, {0, 0}}), Incompatible);
  CHECK_THROWS_WITH(ask({{1, 0}, {0, 0}}), ContainsSubstring("row 1 is all zeros"));
  write_file(folder / "none.npy", npy_header(Dtype::float32, 0, 2), false);
  CHECK_THROWS_AS(query_vectors(index, EmbeddingSet::open(folder / "none.npy"), false, {}, [](const Ranking&) {}),
                  MissingInput);
}

TEST_CASE("a row ranks itself first, unless it is to be left out") {
  const TemporaryFolder folder;
  const Index index = make_index(folder);
  const std::vector<std::uint64_t> positions = {1};
  Collected with, without;
  query_rows(index, positions, {.k = 2}, with.sink());
  query_rows(index, positions, {.k = 2, .exclude_self = true}, without.sink());
  CHECK(with.ids(0) == Ids{1, 0});
  CHECK(without.ids(0) == Ids{0, 2});
  CHECK(without.rankings[0].row == 1);
  CHECK(without.rankings[0].query == "1");
}

TEST_CASE("min_score leaves out, and what was nearest is known") {
  const TemporaryFolder folder;
  const Index index = make_index(folder);
  const std::vector<std::uint64_t> positions = {0, 2};
  Collected found;
  const QueryReport report =
      query_rows(index, positions, {.k = 4, .min_score = 0.5, .exclude_self = true}, found.sink());
  CHECK(found.ids(0) == Ids{1});
  CHECK(found.ids(1).empty());
  CHECK(report.queries == 2);
  CHECK(report.empty == 1);
  CHECK(report.best_left_out.value() == Approx(0.174).margin(0.001));
}

TEST_CASE("rows are found by id and path, or it is said what there is") {
  const TemporaryFolder folder;
  const Index index = make_index(folder);
  CHECK(position_of_id(index, 3) == 3);
  CHECK_THROWS_WITH(position_of_id(index, 4), ContainsSubstring("ids from 0 to 3"));
  CHECK(position_of_path(index, "2") == 2);
  CHECK_THROWS_WITH(position_of_path(index, "photos/2"), ContainsSubstring("there is 2"));
  CHECK_THROWS_AS(position_of_path(index, "7"), MissingInput);
}

TEST_CASE("a path that several rows have is not guessed at") {
  const TemporaryFolder folder;
  const std::string set = write_npy(folder / "x.npy", {{1, 0}, {0, 1}});
  build_index({set, set}, folder / "x.cbir", {});
  CHECK_THROWS_WITH(position_of_path(Index::open(folder / "x.cbir"), "1"), ContainsSubstring("--row: 1, 3"));
}

TEST_CASE("pictures ask; one that cannot be read is skipped") {
  const TemporaryFolder folder;
  write_picture(folder / "red/a.jpg", kRed);
  write_picture(folder / "green/b.jpg", kGreen);
  write_picture(folder / "q/pink.jpg", kPink);
  write_file(folder / "q/bad.jpg", "no picture", false);
  std::atomic<int> encoded = 0, opened = 0;
  const EncoderChoice choice = fake_choice(&encoded, &opened);
  const Index index = index_folders(folder, {folder / "green", folder / "red"}, choice);
  const auto encoder = choice.open();

  Collected found;
  std::vector<FailedItem> failures;
  const auto failed = [&](const FailedItem& item) { failures.push_back(item); };
  const std::vector<std::string> pictures = {folder / "q/bad.jpg", folder / "q/pink.jpg", folder / "q/none.jpg"};
  const QueryReport report = query_images(index, *encoder, pictures, {}, {.k = 2}, found.sink(), failed);
  CHECK(report.queries == 1);
  CHECK(report.failed == 2);
  REQUIRE(found.rankings.size() == 1);
  CHECK(found.rankings[0].query == folder / "q/pink.jpg");
  CHECK(found.ids(0) == Ids{1, 0});
  CHECK(found.rankings[0].results[0].label.value() == "red");
  CHECK_FALSE(found.rankings[0].row.has_value());
  REQUIRE(failures.size() == 2);
  CHECK(failures[0].stage == "decode");
  CHECK(failures[1].stage == "read");
  CHECK(failures[1].reason == "cannot be examined: No such file or directory");
  CHECK_THROWS_AS(query_images(index, *encoder, {folder / "q/bad.jpg"}, {}, {}, found.sink(), failed), MissingInput);
}

TEST_CASE("rankings of pictures do not depend on where in the list they stand") {
  const TemporaryFolder folder;
  write_picture(folder / "x/red.jpg", kRed);
  write_picture(folder / "x/green.jpg", kGreen);
  write_picture(folder / "x/blue.jpg", kBlue);
  std::atomic<int> encoded = 0, opened = 0;
  const EncoderChoice choice = fake_choice(&encoded, &opened);
  const Index index = index_folders(folder, {folder / "x"}, choice);
  std::vector<std::string> pictures;
  for (int i = 0; i < 100; ++i)
    pictures.push_back(folder / (i % 3 == 0 ? "x/red.jpg" : i % 3 == 1 ? "x/blue.jpg" : "x/green.jpg"));
  Collected found;
  query_images(index, *choice.open(), pictures, {}, {.k = 1}, found.sink(), [](const FailedItem&) {});
  REQUIRE(found.rankings.size() == 100);
  for (std::size_t i = 0; i < 100; ++i) CHECK(found.rankings[i].results[0].path == found.rankings[i].query);
}

TEST_CASE("an index that names no encoder needs one to be named") {
  const TemporaryFolder folder;
  CHECK_THROWS_WITH(choose_query_encoder(make_index(folder), {}, false), ContainsSubstring("--model"));
}

TEST_CASE("a prefix is swapped and swapped back") {
  const PathPrefix prefix = {"/real/photos/", "photos/"};
  CHECK(prefix.apply("/real/photos/a.jpg") == "photos/a.jpg");
  CHECK(prefix.apply("/elsewhere/a.jpg") == "/elsewhere/a.jpg");
  CHECK(prefix.undo("photos/a.jpg") == "/real/photos/a.jpg");
  CHECK(PathPrefix{}.apply("a") == "a");
}
