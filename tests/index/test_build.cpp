#include <cmath>
#include <functional>
#include <limits>

#include <cbir/base/error.hpp>
#include <cbir/base/hash.hpp>
#include <cbir/base/text.hpp>
#include <tests/catch.hpp>
#include <tests/index/index_fixture.hpp>

using namespace cbir;
using fixture::build;
using fixture::random_vectors;

namespace {

/// A set of three rows with a manifest.
void write_set(const TemporaryFolder& folder, const std::string& name, const std::string& fingerprint,
               const std::string& metric = "cosine") {
  fixture::write_npy(folder / (name + ".npy"), random_vectors(3, 4, 9), 4);
  std::string rows;
  for (int i = 0; i < 3; ++i)
    rows += to_json_line(RowInfo{.path = name + "/" + std::to_string(i) + ".jpg", .label = "cat"}) + '\n';
  write_file(folder / (name + ".rows.jsonl"), rows, true);
  Manifest manifest;
  manifest.rows = 3;
  manifest.dim = 4;
  manifest.metric = metric;
  manifest.normalization = "none";
  manifest.encoder = "net";
  manifest.fingerprint = fingerprint;
  manifest.preset = "{\"name\":\"net\"}";
  manifest.npy_xxh3 = hex(xxh3(read_file(folder / (name + ".npy"))));
  manifest.rows_xxh3 = hex(xxh3(as_bytes(rows)));
  write_file(folder / (name + ".json"), to_json(manifest), true);
}

std::string message_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

}  // namespace

TEST_CASE("sets are joined in order, with their rows") {
  const TemporaryFolder folder;
  const std::string fingerprint(64, 'a');
  write_set(folder, "one", fingerprint);
  write_set(folder, "two", fingerprint);
  const BuildReport report = build_index({folder / "one", folder / "two.json"}, folder / "x.cbir", {});
  const Index index = Index::open(folder / "x.cbir");
  CHECK(report.rows == 6);
  CHECK(report.bytes == index.info().bytes);
  CHECK(index.size() == 6);
  CHECK(index.info().fingerprint == fingerprint);
  CHECK(index.info().encoder == "net");
  CHECK(index.info().preset == "{\"name\":\"net\"}");
  CHECK(index.row(4).path == "two/1.jpg");
  CHECK(index.row(4).label == "cat");
  CHECK(index.find_path("two/1.jpg") == std::vector<std::uint64_t>{4});
  CHECK(index.find_path("1.jpg").empty());
  CHECK(index.id(4) == 4);
  CHECK(index.position_of(4) == 4);
  CHECK_FALSE(index.position_of(6));
  CHECK_NOTHROW(verify_index(folder / "x.cbir"));
}

TEST_CASE("vectors of different encoders are joined only on request") {
  const TemporaryFolder folder;
  write_set(folder, "one", std::string(64, 'a'));
  write_set(folder, "two", std::string(64, 'b'));
  fixture::write_npy(folder / "bare.npy", random_vectors(2, 4, 1), 4);
  for (const char* other : {"two", "bare.npy"}) {
    const std::string message = message_of([&] {
      build_index({folder / "one", folder / other}, folder / "x.cbir", {});
    });
    CHECK(message.find("--allow-mismatch") != std::string::npos);
    CHECK_FALSE(exists(folder / "x.cbir"));
  }
  build_index({folder / "bare.npy", folder / "one", folder / "two"}, folder / "x.cbir", {.allow_mismatch = true});
  CHECK(Index::open(folder / "x.cbir").info().fingerprint == std::string(64, 'a'));
  CHECK(Index::open(folder / "x.cbir").row(1).path == "1");
}

TEST_CASE("the metric is the sets' own unless one is given") {
  const TemporaryFolder folder;
  write_set(folder, "one", "", "l2");
  write_set(folder, "two", "", "dot");
  build_index({folder / "one"}, folder / "x.cbir", {});
  CHECK(Index::open(folder / "x.cbir").info().metric == Metric::l2);
  CHECK_THROWS_AS(build_index({folder / "one", folder / "two"}, folder / "y.cbir", {}), Incompatible);
  build_index({folder / "one", folder / "two"}, folder / "y.cbir", {.metric = Metric::dot, .metric_given = true});
  CHECK(Index::open(folder / "y.cbir").info().metric == Metric::dot);
}

TEST_CASE("dimensions must agree") {
  const TemporaryFolder folder;
  fixture::write_npy(folder / "four.npy", random_vectors(2, 4, 1), 4);
  fixture::write_npy(folder / "five.npy", random_vectors(2, 5, 1), 5);
  CHECK_THROWS_AS(build_index({folder / "four.npy", folder / "five.npy"}, folder / "x.cbir", {}), Incompatible);
}

TEST_CASE("rows that cannot be compared are refused by name") {
  const TemporaryFolder folder;
  std::vector<float> vectors = random_vectors(5, 4, 1);
  const auto attempt = [&](Metric metric) { return message_of([&] { build(folder, vectors, 4, metric); }); };
  vectors[14] = std::numeric_limits<float>::quiet_NaN();
  CHECK(attempt(Metric::dot).find("row 3") != std::string::npos);
  vectors[14] = std::numeric_limits<float>::infinity();
  CHECK(attempt(Metric::l2).find("row 3") != std::string::npos);
  vectors[14] = 3e38F;  // fits float32, but no score would
  CHECK(attempt(Metric::dot).find("row 3") != std::string::npos);
  for (std::size_t i = 8; i < 12; ++i) vectors[i] = 0;
  vectors[14] = 0.5F;
  CHECK(attempt(Metric::cosine).find("row 2") != std::string::npos);
  CHECK(attempt(Metric::dot).empty());
}

TEST_CASE("an empty set is a missing input") {
  const TemporaryFolder folder;
  fixture::write_npy(folder / "none.npy", {}, 4);
  CHECK_THROWS_AS(build_index({folder / "none.npy"}, folder / "x.cbir", {}), MissingInput);
}

TEST_CASE("cosine makes unit vectors, and leaves unit vectors as they are") {
  const TemporaryFolder folder;
  const std::string first = build(folder, random_vectors(50, 37, 3), 37, Metric::cosine, "first");
  const Index index = Index::open(first);
  std::vector<float> unit;
  for (std::size_t i = 0; i < index.size(); ++i) {
    double sum = 0;
    for (const float x : index.vector(i)) sum += static_cast<double>(x) * static_cast<double>(x);
    CHECK(std::sqrt(sum) == Approx(1).margin(1e-6));
    unit.insert(unit.end(), index.vector(i).begin(), index.vector(i).end());
  }
  const std::string second = build(folder, unit, 37, Metric::cosine, "second");
  CHECK(std::ranges::equal(Index::open(second).vector(17), index.vector(17)));
  CHECK(read_file(first) == read_file(second));  // the same rows, named by number
}

TEST_CASE("nothing is replaced without force") {
  const TemporaryFolder folder;
  fixture::write_npy(folder / "a.npy", random_vectors(2, 4, 1), 4);
  write_file(folder / "x.cbir", "old", false);
  CHECK_THROWS_AS(build_index({folder / "a.npy"}, folder / "x.cbir", {}), OutputError);
  CHECK(read_text(folder / "x.cbir") == "old");
}

TEST_CASE("efforts that were given stay when the structure is made anew, others are found anew") {
  const TemporaryFolder folder;
  fixture::write_npy(folder / "x.npy", random_vectors(5000, 8, 1), 8);
  const auto build_and_compact = [&](const BuildOptions& options) {
    build_index({folder / "x.npy"}, folder / "x.cbir", options);
    compact_index(folder / "x.cbir", "", false);
    return Index::open(folder / "x.cbir").info().parameters;
  };
  auto parameters =
      build_and_compact({.type = "ivf", .structure = {.lists = 37}, .effort = {.probe = 9}, .force = true});
  CHECK(parameters.at("probe") == 9);
  CHECK(parameters.at("lists") == 37);
  CHECK(parameters.count("candidates_given") == 0);
  parameters = build_and_compact({.type = "lsh", .effort = {.candidates = 77}, .force = true});
  CHECK(parameters.at("candidates") == 77);
  parameters = build_and_compact({.type = "hnsw", .effort = {.ef = 33}, .force = true});
  CHECK(parameters.at("ef") == 33);

  // What was found by trial depends on the rows that are left.
  build_index({folder / "x.npy"}, folder / "x.cbir", {.type = "lsh", .force = true});
  CHECK(Index::open(folder / "x.cbir").info().parameters.count("candidates_given") == 0);
  const std::uint64_t candidates = Index::open(folder / "x.cbir").info().parameters.at("candidates");
  RowSelection most;
  for (int i = 100; i < 5000; ++i) most.paths.push_back(std::to_string(i));
  remove_from_index(folder / "x.cbir", most);
  compact_index(folder / "x.cbir", "", false);
  CHECK(Index::open(folder / "x.cbir").info().parameters.at("candidates") < candidates);
}
