#include <cbir/base/error.hpp>
#include <cbir/base/file.hpp>
#include <cbir/store/set.hpp>
#include <cbir/store/shard.hpp>
#include <tests/catch.hpp>
#include <tests/temporary.hpp>

using namespace cbir;

namespace {

Shards part(std::uint64_t number, std::uint64_t of = 3, const std::string& list = "digest") {
  return {.parts = {number}, .of = of, .items = 10, .list = list};
}

}  // namespace

TEST_CASE("a path's part is a matter of its bytes, for ever") {
  CHECK(part_of_path("photos/a.jpg", 1) == 1);
  // XXH3-64 by the reference implementation.
  CHECK(part_of_path("", 1'000'000'007) == 0x2d06800538d394c2ULL % 1'000'000'007 + 1);
  std::vector<int> counts(7);
  for (int i = 0; i < 7000; ++i) ++counts[part_of_path("photos/" + std::to_string(i) + ".jpg", 7) - 1];
  for (const int count : counts) CHECK((count > 850 && count < 1150));
}

TEST_CASE("parts are joined when all are there") {
  CHECK_FALSE(join_shards({{"a", {}}, {"b", {}}}, false));
  CHECK_FALSE(join_shards({{"x.3-of-3", part(3)}, {"x.1-of-3", part(1)}, {"x.2-of-3", part(2)}}, false));
  const auto some = join_shards({{"x.3-of-3", part(3)}, {"x.1-of-3", part(1)}}, true);
  REQUIRE(some);
  CHECK(some->parts == std::vector<std::uint64_t>{1, 3});
  // What was joined before is joined with the rest.
  CHECK_FALSE(join_shards({{"y", some}, {"x.2-of-3", part(2)}}, false));
}

TEST_CASE("what is missing, double or of another list is named") {
  CHECK_THROWS_WITH(
      join_shards({{"d/x.3-of-3", part(3)}}, false),
      ContainsSubstring("of 3 parts 2 are missing: x.1-of-3, x.2-of-3;") && ContainsSubstring("--partial"));
  CHECK_THROWS_AS(join_shards({{"x.3-of-3", part(3)}}, false), MissingInput);
  CHECK_THROWS_WITH(join_shards({{"a.cbir", part(3)}, {"b.cbir", part(1)}}, false),
                    ContainsSubstring("1 is missing: 2;"));
  CHECK_THROWS_WITH(join_shards({{"x", part(1)}, {"y", part(1)}}, true),
                    ContainsSubstring("x and y both hold part 1 of 3"));
  CHECK_THROWS_WITH(join_shards({{"x", part(1)}, {"y", part(2, 3, "other")}}, true),
                    ContainsSubstring("different lists"));
  CHECK_THROWS_WITH(join_shards({{"x", part(1)}, {"y", part(2, 4)}}, true), ContainsSubstring("different lists"));
  CHECK_THROWS_AS(join_shards({{"x", part(1)}, {"y", {}}}, true), Incompatible);
  CHECK_THROWS_WITH(join_shards({{"x.1-of-1000", part(1, 1000)}}, false),
                    ContainsSubstring("999 are missing") && ContainsSubstring("x.11-of-1000, ...;"));
}

TEST_CASE("a name with a star stands for the parts that are there") {
  const TemporaryFolder folder;
  for (const int number : {1, 2, 11})
    write_file(folder / shard_name("x", std::uint64_t(number), 11) + ".json", "", false);
  CHECK(expand_shards({"a", folder / "x.*-of-11"}) ==
        std::vector<std::string>{"a", folder / "x.1-of-11", folder / "x.2-of-11", folder / "x.11-of-11"});
  CHECK_THROWS_AS(expand_shards({folder / "x.*-of-4"}), MissingInput);
  CHECK(expand_shards({"x.*-of-many"}) == std::vector<std::string>{"x.*-of-many"});
}

TEST_CASE("a manifest says which part its set is") {
  Manifest manifest{.rows = 1, .dim = 2, .shards = part(2)};
  manifest.npy_xxh3 = manifest.rows_xxh3 = std::string(32, '0');
  const std::string text = to_json(manifest);
  CHECK(parse_manifest(text, "x").shards == manifest.shards);
  for (const std::string shard :
       {"7", "{}", R"({"part":0,"of":3,"items":1,"list":"x"})", R"({"part":4,"of":3,"items":1,"list":"x"})",
        R"({"part":1,"of":3,"items":1})", R"({"part":"1","of":3,"items":1,"list":"x"})"}) {
    INFO(shard);
    const std::string plain = R"({"format":"cbir embedding set","version":1,"rows":1,"dim":2,"dtype":"float32",)"
                              R"("metric":"cosine","normalization":"l2","npy_xxh3":"00000000000000000000000000000000",)"
                              R"("rows_xxh3":"00000000000000000000000000000000","shard":)";
    CHECK_THROWS_AS(parse_manifest(plain + shard + "}", "x"), DamagedFile);
  }
}

TEST_CASE("parts that no list has are named") {
  const auto fault = [](std::vector<std::uint64_t> parts, std::uint64_t of) {
    return fault_of({std::move(parts), of});
  };
  CHECK(fault({1}, 1) == "");
  CHECK(fault({2, 3, 1'000'000}, 1'000'000) == "");
  CHECK(fault({1}, 1'000'001) == "is of 1000001 parts, at most 1000000 are known");
  CHECK(fault({0}, 2) == "has part 0 of 2");
  CHECK(fault({3}, 2) == "has part 3 of 2");
  CHECK(fault({2, 2}, 2) == "has part 2 of 2 after 2");
  CHECK(fault({}, 2) == "has no parts");
}
