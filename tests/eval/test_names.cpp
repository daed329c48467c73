#include <tests/catch.hpp>

#include "lib/eval/names.hpp"

namespace {

using Names = std::vector<std::string>;

/// The name that each item is, "-" for none.
Names matched(const Names& items, const Names& names, std::string_view prefix = {}) {
  Names found;
  for (const std::uint32_t name : cbir::match_names(items, names, prefix).of_item)
    found.push_back(name == cbir::kNoName ? "-" : names[name]);
  return found;
}

}  // namespace

TEST_CASE("An item is what bears its very name") {
  CHECK(matched({"b.jpg", "./a.jpg", "c.jpg"}, {"a.jpg", "b.jpg"}) == Names{"b.jpg", "a.jpg", "-"});
}

TEST_CASE("Else what has its base name without extension") {
  CHECK(matched({"db/a.jpg", "b", "c.png"}, {"a", "x/b.webp", "c.jpg"}) == Names{"a", "x/b.webp", "c.jpg"});
  CHECK(matched({"oxc1_a.jpg", "b"}, {"a", "oxc1_b"}, "oxc1_") == Names{"a", "oxc1_b"});
  CHECK(matched({"oxc1_a"}, {"a"}) == Names{"-"});
}

TEST_CASE("A name that an item bears exactly is no other's") {
  CHECK(matched({"a.png", "a.jpg"}, {"a.jpg"}) == Names{"-", "a.jpg"});
}

TEST_CASE("Of names alike in their last component the one that shares most folders is meant") {
  CHECK(matched({"db/x/1.jpg", "db/y/1.jpg"}, {"x/1", "y/1"}) == Names{"x/1", "y/1"});
  CHECK(matched({"db/x/1.jpg", "db/y/1.jpg"}, {"x/1"}) == Names{"x/1", "-"});
}

TEST_CASE("Several items may be one name, and are told by it") {
  const auto match = cbir::match_names({"x/a.jpg", "y/a.jpg"}, {"a"});
  CHECK(match.items[0] == std::vector<std::uint32_t>{0, 1});
}

TEST_CASE("An item that could as well be one name as another is neither") {
  const auto match = cbir::match_names({"a.jpg"}, {"x/a", "y/a"});
  CHECK(match.of_item[0] == cbir::kNoName);
  CHECK(match.ambiguous == std::vector<std::uint32_t>{0});
  CHECK(match.other_case.empty());
}

TEST_CASE("Names that differ in case are different names, which is noticed") {
  const auto match = cbir::match_names({"db/A.jpg", "b.jpg"}, {"a", "b"});
  CHECK(match.of_item == std::vector<std::uint32_t>{cbir::kNoName, 1});
  CHECK(match.other_case == std::vector<std::uint32_t>{0});
}

TEST_CASE("What follows a dot is an extension only if it looks like one") {
  CHECK(cbir::name_stem("a/b.c.jpg") == "b.c");
  CHECK(cbir::name_stem("doc.12") == "doc.12");
  CHECK(cbir::name_stem("song.mp3") == "song");
  CHECK(cbir::name_stem("v1.release") == "v1.release");
  CHECK(cbir::name_stem(".hidden") == ".hidden");
  CHECK(cbir::name_stem("a.") == "a.");
}
