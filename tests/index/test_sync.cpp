#include <cbir/base/error.hpp>
#include <tests/catch.hpp>
#include <tests/index/index_fixture.hpp>

using namespace cbir;
using fixture::random_vectors;

namespace {

constexpr std::size_t kDim = 8;

/// A set of rows with these paths; a row's vector and xxh3 are made of its content.
std::string write_rows(const TemporaryFolder& folder, const std::string& name,
                       const std::vector<std::pair<std::string, unsigned>>& rows) {
  std::vector<float> values;
  std::string lines;
  std::uint64_t seq = 0;
  for (const auto& [path, content] : rows) {
    const std::vector<float> vector = random_vectors(1, kDim, content);
    values.insert(values.end(), vector.begin(), vector.end());
    lines += to_json_line({.path = path, .seq = seq++, .xxh3 = hex(xxh3(as_bytes(std::to_string(content))))}) + "\n";
  }
  fixture::write_npy(folder / (name + ".npy"), values, kDim);
  write_file(folder / (name + ".rows.jsonl"), lines, true);
  Manifest manifest{.rows = rows.size(), .dim = kDim, .normalization = "none"};
  manifest.npy_xxh3 = hex(xxh3(read_file(folder / (name + ".npy"))));
  manifest.rows_xxh3 = hex(xxh3(as_bytes(lines)));
  write_file(folder / (name + ".json"), to_json(manifest), true);
  return folder / name;
}

std::vector<std::string> paths_of(const std::string& path) {
  const Index index = Index::open(path);
  std::vector<std::string> paths;
  for (std::uint64_t i = 0; i < index.size(); ++i) paths.push_back(index.row(i).path);
  return paths;
}

}  // namespace

TEST_CASE("an index follows its set in one change") {
  const TemporaryFolder folder;
  const std::string before = write_rows(folder, "one", {{"a", 1}, {"b", 2}, {"c", 3}, {"d", 4}, {"e", 5}});
  const std::string after = write_rows(folder, "two", {{"0", 9}, {"a", 1}, {"b", 7}, {"moved", 3}, {"e", 5}});
  const std::string path = folder / "x.cbir";
  build_index({before}, path, {});
  const std::uint64_t generation = Index::open(path).info().generation;
  const SyncReport report = sync_index(path, {after}, false);
  CHECK(report.added == 1);
  CHECK(report.changed == 1);
  CHECK(report.moved == 1);
  CHECK(report.removed == 1);
  CHECK(report.unchanged == 2);
  CHECK(report.rows == 5);
  const Index index = Index::open(path, Check::all);
  CHECK(index.info().generation == generation + 1);
  CHECK(paths_of(path) == std::vector<std::string>{"a", "e", "0", "b", "moved"});
  CHECK(index.id(0) == 0);
  CHECK(index.id(1) == 4);
  CHECK(index.id(2) == 5);
  verify_index(path);
}

TEST_CASE("an index that is its set's is not written") {
  const TemporaryFolder folder;
  const std::string set = write_rows(folder, "one", {{"a", 1}, {"b", 2}, {"a", 3}});  // a path may come twice
  const std::string path = folder / "x.cbir";
  build_index({set}, path, {});
  const std::string bytes = read_text(path);
  const SyncReport report = sync_index(path, {set}, false);
  CHECK(report.unchanged == 3);
  CHECK(report.bytes == bytes.size());
  CHECK(read_text(path) == bytes);
}

TEST_CASE("vectors decide, whatever is said of the file") {
  const TemporaryFolder folder;
  const std::string set = write_rows(folder, "one", {{"a", 1}, {"b", 2}});
  const std::string path = folder / "x.cbir";
  build_index({set}, path, {});
  std::vector<float> other = random_vectors(2, kDim, 5);
  fixture::write_npy(folder / "one.npy", other, kDim);
  Manifest manifest = parse_manifest(read_text(folder / "one.json"), "one.json");
  manifest.npy_xxh3 = hex(xxh3(read_file(folder / "one.npy")));
  write_file(folder / "one.json", to_json(manifest), true);
  CHECK(sync_index(path, {set}, false).changed == 2);
}
