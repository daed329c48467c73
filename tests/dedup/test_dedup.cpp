#include <cbir/dedup/dedup.hpp>

#include <sys/stat.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <random>

#include <cbir/base/error.hpp>
#include <cbir/base/file.hpp>
#include <cbir/base/hash.hpp>
#include <cbir/base/parallel.hpp>
#include <cbir/index/scan.hpp>
#include <cbir/index/vectors.hpp>
#include <tests/catch.hpp>
#include <tests/index/index_fixture.hpp>
#include <tests/temporary.hpp>

using namespace cbir;

namespace {

using Vectors = std::vector<std::vector<float>>;

std::vector<float> flattened(const Vectors& vectors) {
  std::vector<float> values;
  for (const auto& vector : vectors) values.insert(values.end(), vector.begin(), vector.end());
  return values;
}

/// A set of these vectors; rows that are not given are "0.jpg", "1.jpg", ...
void write_set(const std::string& name, const Vectors& vectors, std::vector<RowInfo> rows = {},
               Manifest manifest = {}) {
  fixture::write_npy(name + ".npy", flattened(vectors), vectors.front().size());
  manifest.rows = vectors.size();
  manifest.dim = vectors.front().size();
  std::string lines;
  for (std::size_t i = rows.size(); i < vectors.size(); ++i) rows.push_back({.path = std::to_string(i) + ".jpg"});
  for (const RowInfo& row : rows) lines += to_json_line(row) + '\n';
  write_file(name + ".rows.jsonl", lines, true);
  manifest.npy_xxh3 = hex(xxh3(read_file(name + ".npy")));
  manifest.rows_xxh3 = hex(xxh3(as_bytes(lines)));
  write_file(name + ".json", to_json(manifest), true);
}

/// A unit vector at this angle, in degrees.
std::vector<float> at(double degrees) {
  const double angle = degrees * std::acos(-1) / 180;
  return {static_cast<float>(std::cos(angle)), static_cast<float>(std::sin(angle))};
}

std::vector<std::vector<std::string>> paths(const DedupReport& report) {
  std::vector<std::vector<std::string>> out;
  for (const DuplicateGroup& group : report.groups) {
    out.emplace_back();
    for (const DuplicateRow& row : group.rows) out.back().push_back(row.info.path);
  }
  return out;
}

using Groups = std::vector<std::vector<std::string>>;

}  // namespace

TEST_CASE("groups of rows that all resemble each other, by their first rows") {
  const TemporaryFolder folder;
  write_set(folder / "s", {at(0), at(90), at(5), at(10), at(91), at(15), at(200)});
  // 0, 5, 10 and 15 degrees are a chain: 15 is too far from 0.
  const DedupReport report = find_duplicates({.sources = {folder / "s"}, .threshold = std::cos(11 * 3.14159F / 180)});
  CHECK(paths(report) == Groups{{"0.jpg", "2.jpg"}, {"1.jpg", "4.jpg"}, {"3.jpg", "5.jpg"}});
  CHECK(report.groups[0].least == Approx(std::cos(5 * std::acos(-1) / 180)));
  CHECK(report.groups[0].rows[1].score == report.groups[0].least);
  CHECK(report.groups[0].rows[1].id == 2);
  CHECK(report.rows == 7);
  CHECK(report.duplicates == 3);
  CHECK(report.pairs == 6);
}

TEST_CASE("which row is kept") {
  const TemporaryFolder folder;
  const Vectors same(5, at(30));
  write_set(folder / "s", same,
            {{.path = "a", .bytes = 900},
             {.path = "b", .bytes = 100, .mtime = 50, .width = 20, .height = 30},
             {.path = "c", .bytes = 200, .mtime = 40, .width = 30, .height = 20},
             {.path = "d", .bytes = 200, .mtime = -40, .width = 30, .height = 20},
             {.path = "e", .mtime = -40, .width = 20, .height = 20}});
  const auto kept = [&](Keep keep) { return paths(find_duplicates({.sources = {folder / "s"}, .keep = keep})).at(0); };
  CHECK(kept(Keep::largest) == std::vector<std::string>{"c", "a", "b", "d", "e"});  // as many pixels, more bytes; first
  CHECK(kept(Keep::oldest) == std::vector<std::string>{"d", "a", "b", "c", "e"});   // first of two
  CHECK(kept(Keep::first) == std::vector<std::string>{"a", "b", "c", "d", "e"});
}

TEST_CASE("it is told if no row says what is kept") {
  const TemporaryFolder folder;
  write_set(folder / "s", {at(30), at(30)}, {{.path = "a", .bytes = 5}, {.path = "b", .bytes = 6}});
  CHECK(paths(find_duplicates({.sources = {folder / "s"}, .keep = Keep::largest})) == Groups{{"b", "a"}});
  const DedupReport oldest = find_duplicates({.sources = {folder / "s"}, .keep = Keep::oldest});
  CHECK(oldest.keep_unknown);
  CHECK(paths(oldest) == Groups{{"a", "b"}});
  CHECK_FALSE(find_duplicates({.sources = {folder / "s"}, .keep = Keep::first}).keep_unknown);
}

TEST_CASE("rows of the same vector belong together at any threshold") {
  const TemporaryFolder folder;
  std::mt19937 generator(1);
  Vectors vectors;
  for (int i = 0; i < 200; ++i) {
    std::vector<float> vector(300);
    for (float& x : vector) x = static_cast<float>(generator() % 1000);
    vectors.push_back(vector);
  }
  for (std::size_t i = 100; i < 200; ++i) vectors[i] = vectors[i - 100];
  vectors[150][7] = -0.0F;  // the same number as 0
  vectors[50][7] = 0;
  write_set(folder / "s", vectors);
  const DedupReport report = find_duplicates({.sources = {folder / "s"}, .threshold = 1.0F});
  CHECK(report.groups.size() == 100);
  for (std::size_t i = 0; i < report.groups.size(); ++i) {
    CHECK(report.groups[i].rows.size() == 2);
    CHECK(report.groups[i].rows[1].id == i + 100);
    CHECK(report.groups[i].least == Approx(1));
  }
  const DedupReport against = find_duplicates({.sources = {folder / "s"}, .against = folder / "s", .threshold = 1.0F});
  CHECK(against.same_file == 100);  // the first of each is the very row that it is compared with
}

TEST_CASE("ten thousand identical rows are one group, and no pair") {
  const TemporaryFolder folder;
  Vectors vectors(10000, at(30));
  vectors[77] = at(31);
  write_set(folder / "s", vectors);
  const DedupReport report = find_duplicates({.sources = {folder / "s"}, .max_pairs = 1});
  REQUIRE(report.groups.size() == 1);
  CHECK(report.groups[0].rows.size() == 10000);
  CHECK(report.groups[0].least < 1);
  CHECK(report.pairs == 1);
}

TEST_CASE("more pairs than memory should hold are an error that says what to do") {
  const TemporaryFolder folder;
  Vectors vectors;
  for (int i = 0; i < 300; ++i) vectors.push_back(at(.01 * i));
  write_set(folder / "s", vectors);
  const DedupOptions options{.sources = {folder / "s"}, .max_pairs = 44849};
  CHECK_THROWS_AS(find_duplicates(options), ResourceLimit);
  CHECK_THROWS_WITH(find_duplicates(options), ContainsSubstring("higher --threshold"));
  CHECK(find_duplicates({.sources = {folder / "s"}, .max_pairs = 44850}).groups.size() == 1);
}

TEST_CASE("every pair in a group reaches the threshold, whatever the threads did") {
  const TemporaryFolder folder;
  std::mt19937 generator(2);
  std::normal_distribution<float> normal;
  Vectors vectors;
  for (int i = 0; i < 1500; ++i) {
    std::vector<float> vector(40);
    for (std::size_t d = 0; d < 40; ++d)
      vector[d] = i % 5 == 0 ? normal(generator) : vectors[vectors.size() - 1][d] + .25F * normal(generator);
    vectors.push_back(vector);
  }
  write_set(folder / "s", vectors);
  std::optional<DedupReport> first;
  for (const std::size_t threads : {1, 2, 5}) {
    const ThreadLimit limit(threads);
    const DedupReport report = find_duplicates({.sources = {folder / "s"}, .threshold = .9F});
    if (!first) first = report;
    CHECK(paths(report) == paths(*first));
  }
  CHECK(first->groups.size() > 100);
  for (auto& vector : vectors) REQUIRE(prepare_vector(vector, true) == VectorState::fine);
  for (const DuplicateGroup& group : first->groups) {
    float least = 2;
    for (const DuplicateRow& a : group.rows) {
      for (const DuplicateRow& b : group.rows) {
        if (a.id >= b.id) continue;
        std::vector<float> x = vectors[a.id], y = vectors[b.id];
        x.resize(padded_dim(40));
        y.resize(padded_dim(40));
        float score = 0;
        inner_products({x.data(), 1, 48}, {y.data(), 1, 48}, {&score, 1, 1});
        least = std::min(least, score);
      }
    }
    CHECK(group.least == least);
    CHECK(least >= .9F);
  }
}

TEST_CASE("an index has the groups of its set, by ids that stay") {
  const TemporaryFolder folder;
  write_set(folder / "s", {at(0), at(90), at(5), at(180), at(6), at(181)});
  build_index({folder / "s"}, folder / "x.cbir", {});
  const DedupOptions options{.sources = {folder / "x.cbir"}};
  CHECK(paths(find_duplicates(options)) == paths(find_duplicates({.sources = {folder / "s"}})));
  remove_from_index(folder / "x.cbir", {.paths = {"0.jpg", "1.jpg"}, .labels = {}});
  const DedupReport report = find_duplicates(options);
  CHECK(paths(report) == Groups{{"2.jpg", "4.jpg"}, {"3.jpg", "5.jpg"}});
  CHECK(report.groups[0].rows[0].id == 2);
}

TEST_CASE("several sources are one collection") {
  const TemporaryFolder folder;
  write_set(folder / "s", {at(0), at(90)}, {{.path = "s0"}, {.path = "s1"}});
  write_set(folder / "t", {at(91), at(1)}, {{.path = "t0"}, {.path = "t1"}});
  build_index({folder / "t"}, folder / "t.cbir", {});
  for (const std::string second : {"t", "t.cbir"}) {
    const DedupReport report = find_duplicates({.sources = {folder / "s", folder / second}});
    CHECK(paths(report) == Groups{{"s0", "t1"}, {"s1", "t0"}});
    CHECK(report.groups[0].rows[1].source == 1);
    CHECK(report.groups[0].rows[1].id == 1);
  }
}

TEST_CASE("what another set has already") {
  const TemporaryFolder folder;
  write_set(folder / "mine", {at(0), at(45), at(90), at(1)},
            {{.path = "m0"}, {.path = "m1"}, {.path = "m2"}, {.path = "m3"}});
  write_set(folder / "have", {at(92), at(0), at(180)}, {{.path = "h0"}, {.path = "h1"}, {.path = "h2"}});
  const DedupReport report = find_duplicates({.sources = {folder / "mine"}, .against = folder / "have"});
  CHECK(paths(report) == Groups{{"h0", "m2"}, {"h1", "m0", "m3"}});
  CHECK(report.groups[1].rows[0].source == 1);
  CHECK(report.groups[1].rows[2].source == 0);
  CHECK(report.groups[1].rows[2].score == Approx(std::cos(std::acos(-1) / 180)));
  CHECK(report.groups[1].least == report.groups[1].rows[2].score);
  CHECK(report.duplicates == 3);
}

TEST_CASE("the very file of another row is no copy of it") {
  const TemporaryFolder folder;
  write_file(folder / "a.jpg", "x", false);
  write_file(folder / "b.jpg", "x", false);
  std::filesystem::create_symlink(folder / "a.jpg", folder / "link.jpg");
  std::filesystem::create_hard_link(folder / "b.jpg", folder / "hard.jpg");
  const Vectors same(6, at(30));
  write_set(folder / "s", same,
            {{.path = folder / "link.jpg"},
             {.path = folder / "a.jpg"},
             {.path = folder / "b.jpg"},
             {.path = folder / "hard.jpg"},
             {.path = "gone.jpg"},
             {.path = "gone.jpg"}});
  const DedupReport report = find_duplicates({.sources = {folder / "s"}, .keep = Keep::first});
  CHECK(paths(report) == Groups{{folder / "link.jpg", folder / "b.jpg", "gone.jpg"}});
  CHECK(report.same_file == 3);

  // With the file goes what was least similar, and a group of one file is none.
  write_set(folder / "t", {at(0), at(4), at(5), at(100), at(101)},
            {{.path = "a"}, {.path = "b"}, {.path = "a"}, {.path = "c"}, {.path = "c"}});
  const DedupReport less = find_duplicates({.sources = {folder / "t"}});
  CHECK(paths(less) == Groups{{"a", "b"}});
  CHECK(less.groups[0].least == Approx(std::cos(4 * std::acos(-1) / 180)));
}

TEST_CASE("texts have no file") {
  const TemporaryFolder folder;
  write_set(folder / "s", {at(0), at(0)}, {{.path = "a text", .text = true}, {.path = "a text", .text = true}});
  CHECK(find_duplicates({.sources = {folder / "s"}}).duplicates == 1);
}

TEST_CASE("thresholds and metrics that make no sense are refused") {
  const TemporaryFolder folder;
  write_set(folder / "s", {at(0), at(90)});
  const auto refused = [&](std::optional<Metric> metric, std::optional<float> threshold) {
    CHECK_THROWS_AS(find_duplicates({.sources = {folder / "s"}, .metric = metric, .threshold = threshold}), UsageError);
  };
  refused(Metric::cosine, 1.01F);
  refused(Metric::cosine, 0.0F);
  refused(Metric::cosine, std::nanf(""));
  refused(Metric::l2, std::nullopt);
  refused(Metric::l2, .1F);
  refused(Metric::dot, .5F);
  CHECK_THROWS_AS(find_duplicates({}), UsageError);
  CHECK(find_duplicates({.sources = {folder / "s"}, .metric = Metric::l2, .threshold = -2.0F}).groups.size() == 1);
}

TEST_CASE("sources that do not belong together are refused") {
  const TemporaryFolder folder;
  write_set(folder / "s", {at(0), at(90)}, {}, {.encoder = "a", .fingerprint = std::string(64, 'a')});
  write_set(folder / "other", {at(0), at(90)}, {}, {.encoder = "b", .fingerprint = std::string(64, 'b')});
  write_set(folder / "wide", {{1, 2, 3}}, {}, {.encoder = "a", .fingerprint = std::string(64, 'a')});
  write_set(folder / "zero", {at(0), {0, 0}});
  CHECK_THROWS_AS(find_duplicates({.sources = {folder / "s", folder / "other"}}), Incompatible);
  CHECK_THROWS_AS(find_duplicates({.sources = {folder / "s"}, .against = folder / "other"}), Incompatible);
  CHECK_THROWS_AS(find_duplicates({.sources = {folder / "s", folder / "wide"}}), Incompatible);
  CHECK_THROWS_WITH(find_duplicates({.sources = {folder / "zero"}}), ContainsSubstring("row 1"));
  const DedupReport both = find_duplicates({.sources = {folder / "s", folder / "other"}, .allow_mismatch = true});
  CHECK(both.same_file == 2);  // "0.jpg" and "1.jpg" of both
  build_index({folder / "s"}, folder / "x.cbir", {});
  CHECK_THROWS_AS(find_duplicates({.sources = {folder / "x.cbir"}, .metric = Metric::l2, .threshold = -1.0F}),
                  Incompatible);
}
