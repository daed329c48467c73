#include <tests/catch.hpp>

#include "../../lib/onnx/class_names.hpp"

using cbir::onnx::class_names;
using Names = std::vector<std::string>;

TEST_CASE("names of classes are what Python prints for a dict or a list") {
  CHECK(class_names("{0: 'person', 1: \"sheep's head\", 2: 'caf\xc3\xa9'}") ==
        Names{"person", "sheep's head", "caf\xc3\xa9"});
  CHECK(class_names("['cat', 'dog']") == Names{"cat", "dog"});
  CHECK(class_names(R"({0: 'it\'s "it"'})") == Names{"it's \"it\""});
  CHECK(class_names("{}").empty());
}

TEST_CASE("anything else has no names") {
  for (const char* text : {"", "{", "{0", "{0:", "{0: 'a'", "{0: 'a',}", "{1: 'a'}", "{0: 'a', 2: 'b'}", "['a' 'b']",
                           "{0: a}", "['a']x", "{0: 'a\\", "None", "{0: ['a']}"})
    CHECK(class_names(text).empty());
}
