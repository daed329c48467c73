#include <tests/catch.hpp>
#include <tests/onnx/model.hpp>

#include <cbir/base/boundary.hpp>
#include "../../lib/onnx/model_file.hpp"
#include "../../lib/onnx/rewrite.hpp"

using namespace cbir;
using namespace cbir::onnx;

namespace {

onnx_file::Graph small() {
  return {.nodes = {onnx_file::node("Mul", {"x", "w"}, "inner"), onnx_file::node("Relu", {"inner"}, "y")},
          .initialisers = {onnx_file::tensor("w", {1}, {2})},
          .inputs = {onnx_file::value("x", {-1, 3, 64, -2}), onnx_file::value("w", {1})},
          .outputs = {onnx_file::value("y", {-1, 3, 64, -2})}};
}

void check_refused(const std::string& file, ExitCode code, const std::string& words) {
  try {
    read_model_file(file);
    FAIL("was taken: " + words);
  } catch (const Error& error) {
    CHECK(error.code() == code);
    CHECK_THAT(error.what(), ContainsSubstring(words));
  }
}

}  // namespace

TEST_CASE("inputs, outputs and what is computed between them") {
  const ModelFile file = read_model_file(small().to_file());
  REQUIRE(file.inputs.size() == 1);  // the other one is a weight
  CHECK(file.inputs[0].name == "x");
  CHECK(file.inputs[0].type == kFloat32);
  CHECK(to_text(file.inputs[0].shape) == "side1 x 3 x 64 x side2");
  REQUIRE(file.outputs.size() == 1);
  CHECK(file.outputs[0].name == "y");
  CHECK(file.inner == std::set<std::string>{"inner", "y"});
  CHECK(to_text(std::nullopt) == "of unknown shape");
  CHECK(type_name(10) == "float16");
  CHECK(type_name(-1) == "type -1");
}

TEST_CASE("for OpenCV the input's shape is fixed, and an inner value may become an output") {
  const ModelFile file = read_model_file(for_opencv(small().to_file(), {"x", 64, 48, "inner"}));
  REQUIRE(file.inputs.size() == 1);
  CHECK(file.inputs[0].type == kFloat32);
  CHECK(to_text(file.inputs[0].shape) == "1 x 3 x 64 x 48");
  REQUIRE(file.outputs.size() == 2);
  CHECK(to_text(file.outputs[0].shape) == "side1 x 3 x 64 x side2");
  CHECK(file.outputs[1].name == "inner");
  CHECK(read_model_file(for_opencv(small().to_file(), {"x", 64, 48})).outputs.size() == 1);
}

TEST_CASE("for OpenCV, limits of Clip become attributes, and copies of parameters become parameters") {
  const auto limits = [](float low, float high) {
    return std::vector{onnx_file::real("min", low), onnx_file::real("max", high)};
  };
  onnx_file::Graph graph = small(), wanted = small();
  for (onnx_file::Graph* g : {&graph, &wanted}) {
    g->initialisers.push_back(onnx_file::tensor("low", {}, {-1}));
    g->initialisers.push_back(onnx_file::tensor("pair", {2}, {1, 2}));
  }
  const std::string high =
      onnx_file::node("Constant", {}, "high", {onnx_file::tensor_attribute(onnx_file::tensor("", {}, {6}))});
  graph.nodes = {
      high, onnx_file::node("Identity", {"low"}, "low too"), onnx_file::node("Clip", {"x", "low too", "high"}, "inner"),
      onnx_file::node("Clip", {"inner", "", "high"}, "top only"), onnx_file::node("Clip", {"top only"}, "y")};
  wanted.nodes = {high, onnx_file::node("Clip", {"x"}, "inner", limits(-1, 6)),
                  onnx_file::node("Clip", {"inner"}, "top only", {onnx_file::real("max", 6)}),
                  onnx_file::node("Clip", {"top only"}, "y")};
  const auto count = [](const std::string& text, const std::string& part) {
    std::size_t n = 0;
    for (std::size_t at = text.find(part); at != text.npos; at = text.find(part, at + 1)) ++n;
    return n;
  };
  const std::string out = for_opencv(graph.to_file(), {"x", 64, 64});
  for (std::size_t i = 0; i < wanted.nodes.size(); ++i) {
    INFO("node " << i);
    CHECK(count(out, onnx_file::bytes(1, wanted.nodes[i])) == 1);
  }
  CHECK(count(out, "Identity") == 0);
  CHECK(count(out, onnx_file::tensor("low", {}, {-1}) + onnx_file::bytes(8, "low too")) == 1);

  // What cannot be changed stays as it is.
  graph.nodes = {onnx_file::node("Clip", {"x", "pair"}, "inner"), onnx_file::node("Clip", {"inner", "x"}, "other"),
                 onnx_file::node("Identity", {"other"}, "y")};
  for (const std::string& node : graph.nodes)
    CHECK(count(for_opencv(graph.to_file(), {"x", 64, 64}), onnx_file::bytes(1, node)) == 1);
}

TEST_CASE("weights in other files are refused") {
  onnx_file::Graph graph = small();
  graph.initialisers[0] += onnx_file::number(14, 1);
  check_refused(graph.to_file(), ExitCode::incompatible, "save it as one file");
}

TEST_CASE("files that are no ONNX files") {
  check_refused("", ExitCode::damaged, "holds no graph");
  check_refused("<!DOCTYPE html>\n<html>", ExitCode::damaged, "not a sound ONNX file");
  check_refused(std::string(100, '\0'), ExitCode::damaged, "a number that there is not");
  check_refused(std::string(20, '\xFF'), ExitCode::damaged, "more than ten bytes");
  check_refused("\x08", ExitCode::damaged, "cut short");
  onnx_file::Graph graph = small();
  graph.outputs.clear();
  check_refused(graph.to_file(), ExitCode::damaged, "holds no graph with nodes and outputs");
}

TEST_CASE("a file that is cut short anywhere is noticed") {
  const std::string file = small().to_file();
  for (std::size_t size = 0; size < file.size(); ++size) {
    INFO("bytes: " << size);
    try {
      const ModelFile read = read_model_file(file.substr(0, size));
      // The graph was whole: what is gone came after it.
      CHECK(size >= file.size() - onnx_file::Graph::operator_set().size());
      CHECK(read.outputs.size() == 1);
    } catch (const Error& error) {
      CHECK(error.code() == ExitCode::damaged);
    }
  }
}
