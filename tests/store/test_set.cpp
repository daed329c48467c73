#include <cbir/store/npy_pair.hpp>
#include <cbir/store/set.hpp>

#include <string>

#include <cbir/base/error.hpp>
#include <cbir/base/file.hpp>
#include <cbir/base/hash.hpp>
#include <tests/catch.hpp>
#include <tests/temporary.hpp>

using namespace cbir;
using namespace std::string_literals;

namespace {

std::string npy_of(const std::vector<float>& values, std::size_t cols) {
  std::vector<std::byte> data;
  append_items(data, values, Dtype::float32);
  return npy_header(Dtype::float32, values.size() / cols, cols) + std::string(as_text(data));
}

/// A sound set of two rows named x in a folder of its own.
struct SmallSet {
  SmallSet() {
    manifest.rows = 2;
    manifest.dim = 3;
    manifest.encoder = "tiny";
    manifest.fingerprint = std::string(64, 'a');
    manifest.preset = R"({"name":"tiny","scale":0.1})";
    manifest.failed = 1;
    manifest.npy_xxh3 = hex(xxh3(as_bytes(npy)));
    manifest.rows_xxh3 = hex(xxh3(as_bytes(rows)));
    write();
  }
  void write() const {
    const SetPaths paths = set_paths(name);
    write_file(paths.npy, npy, true);
    write_file(paths.rows, rows, true);
    write_file(paths.manifest, to_json(manifest), true);
  }
  TemporaryFolder folder;
  std::string name = folder / "x";
  std::string npy = npy_of({1, 0, 0, 0, 1, 0}, 3);
  std::string rows =
      "{\"path\":\"a/1.jpg\",\"label\":\"a\",\"seq\":0}\n{\"path\":\"a/3.jpg\",\"label\":\"a\",\"seq\":2}\n";
  Manifest manifest;
};

}  // namespace

TEST_CASE("a set is named by its stem, its matrix or its manifest") {
  for (const auto* name : {"d/x", "d/x.npy", "d/x.json"}) {
    CHECK(set_paths(name).npy == "d/x.npy");
    CHECK(set_paths(name).rows == "d/x.rows.jsonl");
    CHECK(set_paths(name).manifest == "d/x.json");
    CHECK(set_paths(name).failed == "d/x.failed.jsonl");
    CHECK(set_paths(name).state == "d/x.state");
  }
  CHECK(set_paths("x.2.npy").manifest == "x.2.json");
  CHECK(set_paths("d/.npy").npy == "d/.npy.npy");
}

TEST_CASE("a set says what it holds") {
  const SmallSet small;
  for (const std::string suffix : {"", ".npy", ".json"}) {
    const EmbeddingSet set = EmbeddingSet::open(small.name + suffix);
    CHECK(set.rows() == 2);
    CHECK(set.dim() == 3);
    REQUIRE(set.manifest().has_value());
    CHECK(set.manifest()->encoder == "tiny");
    CHECK(set.manifest()->preset == small.manifest.preset);
    CHECK(set.manifest()->failed == 1);
    CHECK(set.row_line(1) == R"({"path":"a/3.jpg","label":"a","seq":2})");
    CHECK(set.row(1).path == "a/3.jpg");
    CHECK(set.row(1).seq == 2);
  }
}

TEST_CASE("the manifest is the same bytes for the same content, and survives reading") {
  const SmallSet small;
  const std::string text = to_json(small.manifest);
  CHECK(to_json(parse_manifest(text, "x.json")) == text);
  CHECK(text.starts_with("{\n  \"format\": \"cbir embedding set\",\n  \"version\": 1,\n  \"rows\": 2,\n"));
}

TEST_CASE("any flipped bit of a manifest is damage") {
  const std::string text = to_json(SmallSet().manifest);
  const std::size_t key = text.find("\"xxh3\"") + 1;  // without the checksum the rest still stands for itself
  for (std::size_t bit = 0; bit < text.size() * 8; ++bit) {
    if (bit / 8 >= key && bit / 8 < key + 4) continue;
    std::string flipped = text;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << bit % 8));
    if (flipped[bit / 8] == '\r' || flipped[bit / 8] == '\t') continue;
    INFO("bit " << bit << " of byte " << bit / 8);
    CHECK_THROWS_AS(parse_manifest(flipped, "x.json"), DamagedFile);
  }
  for (std::size_t length = 0; length + 1 < text.size(); ++length)
    CHECK_THROWS_AS(parse_manifest(text.substr(0, length), "x.json"), DamagedFile);
}

TEST_CASE("a manifest written by hand needs no checksum, but must make sense") {
  const std::string digests =
      R"("npy_xxh3":")" + std::string(32, '0') + R"(","rows_xxh3":")" + std::string(32, '0') + '"';
  const auto manifest = [&](const std::string& version, const std::string& more) {
    return R"({"format":"cbir embedding set","version":)" + version +
           R"(,"rows":1,"dim":2,"dtype":"float16","metric":"l2","normalization":"none",)" + digests + more + "}";
  };
  const Manifest read = parse_manifest(manifest("1", ""), "x");
  CHECK(read.dtype == Dtype::float16);
  CHECK(read.metric == "l2");
  CHECK(read.encoder.empty());
  CHECK_THROWS_AS(parse_manifest(manifest("2", ""), "x"), Incompatible);
  CHECK_THROWS_WITH(parse_manifest(manifest("2", ""), "x"),
                    "x: found version 2 of the format, this program reads version 1");
  CHECK_THROWS_AS(parse_manifest(manifest("1", R"(,"fingerprint":"12")"), "x"), DamagedFile);
  CHECK_THROWS_AS(parse_manifest(manifest("1", R"(,"dtype":"float64")"), "x"), DamagedFile);
  CHECK_THROWS_AS(parse_manifest(manifest("1", R"(,"metric":"hamming")"), "x"), DamagedFile);
  CHECK_THROWS_AS(parse_manifest("{\"a\":" + std::string(100'000, '['), "x"), DamagedFile);
}

TEST_CASE("files that were changed after the manifest are damage") {
  const auto fails_after = [](auto&& change) {
    SmallSet small;
    change(small);
    small.write();
    CHECK_THROWS_AS(EmbeddingSet::open(small.name), DamagedFile);
  };
  fails_after([](SmallSet& set) { set.npy = npy_of({1, 0, 0, 0, 1, 0.5F}, 3); });
  fails_after([](SmallSet& set) { set.npy = npy_of({1, 0, 0}, 3); });
  fails_after([](SmallSet& set) { set.npy = npy_of({1, 0, 0, 0, 1, 0}, 2); });
  fails_after([](SmallSet& set) { set.npy.resize(set.npy.size() - 1); });
  fails_after([](SmallSet& set) { set.rows[9] = 'b'; });
  fails_after([](SmallSet& set) { set.rows.pop_back(); });
  fails_after([](SmallSet& set) { set.rows += "{}\n"; });
  fails_after([](SmallSet& set) { set.rows = ""; });
}

TEST_CASE("any flipped bit of matrix and rows is noticed") {
  const SmallSet sound;
  SmallSet small;
  for (std::size_t bit = 0; bit < sound.npy.size() * 8; ++bit) {
    small.npy = sound.npy;
    small.npy[bit / 8] = static_cast<char>(small.npy[bit / 8] ^ (1 << bit % 8));
    write_file(set_paths(small.name).npy, small.npy, true);
    CHECK_THROWS_AS(EmbeddingSet::open(small.name), Error);
  }
  write_file(set_paths(small.name).npy, sound.npy, true);
  for (std::size_t bit = 0; bit < sound.rows.size() * 8; ++bit) {
    small.rows = sound.rows;
    small.rows[bit / 8] = static_cast<char>(small.rows[bit / 8] ^ (1 << bit % 8));
    write_file(set_paths(small.name).rows, small.rows, true);
    CHECK_THROWS_AS(EmbeddingSet::open(small.name), DamagedFile);
  }
}

TEST_CASE("an unfinished set is not taken for a finished one") {
  const SmallSet small;
  std::filesystem::remove(set_paths(small.name).manifest);
  CHECK_THROWS_AS(EmbeddingSet::open(small.name + ".npy"), DamagedFile);
  std::filesystem::remove(set_paths(small.name).npy);
  CHECK_THROWS_AS(EmbeddingSet::open(small.name), MissingInput);
  std::filesystem::create_directory(set_paths(small.name).state);
  write_file(set_paths(small.name).state + "/journal", "", false);
  CHECK_THROWS_WITH(EmbeddingSet::open(small.name), ContainsSubstring("unfinished"));
}

TEST_CASE("a matrix alone is welcome; its rows are named by number") {
  const TemporaryFolder folder;
  write_file(folder / "bare.npy", npy_of({1, 2, 3, 4}, 2), false);
  const EmbeddingSet set = EmbeddingSet::open(folder / "bare.npy");
  CHECK_FALSE(set.manifest().has_value());
  CHECK(set.row_line(1) == R"({"path":"1"})");
  CHECK(set.row(0) == RowInfo{.path = "0"});
}

TEST_CASE("X_Embeddings.npy finds its labels in X_Categories.npy") {
  const TemporaryFolder folder;
  const std::string header = "{'descr': '|S3', 'fortran_order': False, 'shape': (2,), }\n";
  const auto categories = "\x93NUMPY\x01\0"s + static_cast<char>(header.size()) + '\0' + header;
  write_file(folder / "X_Embeddings.npy", npy_of({1, 2, 3, 4}, 2), false);
  write_file(folder / "X_Categories.npy", categories + "catdog", false);
  const EmbeddingSet set = EmbeddingSet::open(folder / "X_Embeddings.npy");
  CHECK(set.row(1) == RowInfo{.path = "1", .label = "dog"});
  CHECK(set.row_line(0) == R"({"path":"0","label":"cat"})");
  write_file(folder / "X_Categories.npy", categories + "cat\0\0\0"s, true);
  CHECK_FALSE(EmbeddingSet::open(folder / "X_Embeddings.npy").row(1).label.has_value());
  write_file(folder / "X_Embeddings.npy", npy_of({1, 2}, 2), true);
  CHECK_THROWS_AS(EmbeddingSet::open(folder / "X_Embeddings.npy"), Incompatible);
}

TEST_CASE("a set is written as a pair of plain arrays") {
  const SmallSet small;
  const NpyPair pair = npy_pair(small.name);
  CHECK(pair.embeddings == small.name + "_Embeddings.npy");
  CHECK(npy_pair("x_Embeddings.npy").categories == "x_Categories.npy");
  CHECK_NOTHROW(refuse_npy_pair(small.name));
  write_npy_pair(small.name, false);
  CHECK_THROWS_AS(refuse_npy_pair(small.name), OutputError);
  CHECK_NOTHROW(write_npy_pair(small.name, false));  // there already, and right
  CHECK(read_text(pair.embeddings) == read_text(set_paths(small.name).npy));
  const EmbeddingSet set = EmbeddingSet::open(small.name), read = EmbeddingSet::open(pair.embeddings);
  const std::vector<std::string> labels = read_npy_strings(pair.categories);
  REQUIRE(labels.size() == set.rows());
  for (std::size_t i = 0; i < labels.size(); ++i) {
    CHECK(labels[i] == set.row(i).label.value_or(""));
    CHECK(read.row(i).label == set.row(i).label);
  }
  write_file(pair.categories, "other", true);
  CHECK_THROWS_AS(write_npy_pair(small.name, false), OutputError);
  CHECK(read_text(pair.categories) == "other");
  write_npy_pair(small.name, true);
  CHECK(read_npy_strings(pair.categories) == labels);
}
