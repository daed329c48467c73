#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <unordered_map>

#include <cbir/base/error.hpp>
#include <cbir/base/file.hpp>
#include <cbir/base/text.hpp>
#include <cbir/eval/revisited.hpp>

#include "pickle_json.hpp"

namespace cbir {
namespace {

using nlohmann::json;

constexpr std::uint64_t kMaxBytes = 1UL << 30;  // the published ones have less than 1 MB

json read_tree(Bytes file, const std::string& name) {
  const std::string_view text = as_text(file);
  const std::size_t first = text.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos) throw DamagedFile(fmt::format("{}: is empty", display_path(name)));
  if (text[first] != '{') return pickle_to_json(file, name);
  try {
    return json::parse(text);
  } catch (const json::exception& error) {
    throw DamagedFile(fmt::format("{}: is no JSON: {}", display_path(name), error.what()));
  }
}

/// Takes the ground truth out of the tree, naming what is wrong with it.
class Reader {
 public:
  Reader(const json& tree, std::string path) : tree_(tree) { truth_.file = std::move(path); }

  RevisitedTruth read() {
    if (!tree_.is_object()) fail("", "the whole", "a dict of imlist, qimlist and gnd");
    truth_.images = names("imlist");
    for (std::uint32_t i = 0; i < truth_.images.size(); ++i)
      if (!numbers_.emplace(truth_.images[i], i).second)
        throw DamagedFile(
            fmt::format("{}: imlist names {} twice", display_path(truth_.file), display_path(truth_.images[i])));
    const auto pictures = names("qimlist");
    const json& queries = member(tree_, "", "gnd");
    if (!queries.is_array() || queries.size() != pictures.size())
      fail("", "gnd", fmt::format("a list of as many dicts as qimlist has names, {}", pictures.size()));
    std::unordered_map<std::string, std::size_t> seen;
    for (std::size_t q = 0; q < pictures.size(); ++q) {
      const std::size_t times = ++seen[pictures[q]];
      const std::string name = times == 1 ? pictures[q] : fmt::format("{}#{}", pictures[q], times);
      truth_.queries.push_back(query(queries[q], fmt::format("gnd[{}].", q), name, pictures[q]));
    }
    return std::move(truth_);
  }

 private:
  [[noreturn]] void fail(const std::string& where, std::string_view what, std::string_view expected) const {
    throw DamagedFile(
        fmt::format("{}: {}{} is missing or not as expected: {}", display_path(truth_.file), where, what, expected));
  }

  const json& member(const json& object, const std::string& where, const char* key) const {
    const auto found = object.find(key);
    if (found == object.end()) fail(where, key, "the ground truth of a revisited benchmark has it");
    return *found;
  }

  std::vector<std::string> names(const char* key) const {
    const json& list = member(tree_, "", key);
    std::vector<std::string> names;
    if (list.is_array())
      for (const json& name : list)
        if (name.is_string()) names.push_back(name.get<std::string>());
    if (!list.is_array() || names.size() != list.size() || names.empty()) fail("", key, "a list of names");
    return names;
  }

  std::vector<std::uint32_t> positions(const json& object, const std::string& where, const char* key) const {
    const json& list = member(object, where, key);
    const std::string expected =
        fmt::format("a list of positions in imlist, 0 to {}, or of its names", truth_.images.size() - 1);
    if (!list.is_array()) fail(where, key, expected);
    std::vector<std::uint32_t> positions;
    for (const json& each : list) {
      if (each.is_number_integer() && each >= 0 && each < truth_.images.size()) {
        positions.push_back(each.get<std::uint32_t>());
        continue;
      }
      const auto found = each.is_string() ? numbers_.find(each.get<std::string>()) : numbers_.end();
      if (found == numbers_.end()) fail(where, key, expected);
      positions.push_back(found->second);
    }
    return positions;
  }

  RevisitedQuery query(const json& object, const std::string& where, const std::string& name,
                       const std::string& picture) const {
    if (!object.is_object()) fail(where, "", "a dict of bbx, easy, hard and junk");
    RevisitedQuery query{.name = name,
                         .picture = picture,
                         .box = {},
                         .easy = positions(object, where, "easy"),
                         .hard = positions(object, where, "hard"),
                         .junk = positions(object, where, "junk")};
    if (const auto box = object.find("bbx"); box != object.end() && !box->is_null()) {
      if (box->is_array())
        for (const json& number : *box)
          if (number.is_number()) query.box.push_back(number.get<double>());
      if (query.box.size() != 4 || box->size() != 4) fail(where, "bbx", "four numbers: x1, y1, x2, y2");
    }
    return query;
  }

  const json& tree_;
  RevisitedTruth truth_;
  std::unordered_map<std::string, std::uint32_t> numbers_;
};

}  // namespace

RevisitedTruth parse_revisited_truth(Bytes file, const std::string& name) {
  const json tree = read_tree(file, name);
  return Reader(tree, name).read();
}

RevisitedTruth read_revisited_truth(const std::string& path) {
  return parse_revisited_truth(read_file(path, kMaxBytes), path);
}

std::vector<QueryBox> boxes_of(const RevisitedTruth& truth) {
  std::vector<QueryBox> boxes;
  for (const RevisitedQuery& query : truth.queries) {
    if (query.box.empty())
      throw MissingInput(
          fmt::format("{}: query {} has no box (bbx)", display_path(truth.file), display_path(query.name)));
    boxes.push_back({query.name, query.picture, query.box[0], query.box[1], query.box[2], query.box[3]});
  }
  return boxes;
}

}  // namespace cbir
