#include <fmt/format.h>

#include <array>
#include <cmath>
#include <iterator>
#include <utility>

#include <cbir/base/error.hpp>
#include <cbir/base/file.hpp>
#include <cbir/base/text.hpp>
#include <cbir/eval/scores.hpp>

#include "lib/store/json.hpp"

namespace cbir {
namespace {

constexpr const char* kFormat = "cbir scores";
constexpr std::uint64_t kVersion = 1;

/// Marks as qrels have relevance: what is junk is below nothing.
constexpr std::array<std::pair<Mark, int>, 3> kMarks = {{{Mark::irrelevant, 0}, {Mark::relevant, 1}, {Mark::junk, -1}}};

int number_of(Mark mark) {
  for (const auto& [each, number] : kMarks)
    if (each == mark) return number;
  throw Error(ExitCode::internal, "a mark without a number");
}

// Writing.

std::string quoted(const std::string& text) { return nlohmann::json(text).dump(); }

/// `"key":"text"`, or `"key_b64":"..."` if the text is not UTF-8.
std::string field(const std::string& key, const std::string& text) {
  if (is_utf8(text)) return fmt::format("\"{}\":{}", key, quoted(text));
  return fmt::format("\"{}_b64\":\"{}\"", key, base64_encode(text));
}

/// A string in a list: itself, or {"b64":"..."}.
std::string element(const std::string& text) {
  return is_utf8(text) ? quoted(text) : fmt::format("{{\"b64\":\"{}\"}}", base64_encode(text));
}

/// The shortest digits that read back as the same number.
std::string number(double value) { return std::isfinite(value) ? fmt::format("{}", value) : "null"; }

template <typename Range, typename Text>
std::string list(const Range& range, const Text& text) {
  std::string out = "[";
  for (const auto& each : range) {
    if (out.size() > 1) out += ',';
    out += text(each);
  }
  return out + ']';
}

/// `,"key":{"name":value,...}` of those of all queries, and `,"group_key":[[group,name,value],...]` of the others.
template <typename Named, typename Text>
std::string named_values(const std::string& key, const std::vector<Named>& values, const Text& text) {
  std::string all, groups;
  for (const Named& each : values) {
    std::string& out = each.group.empty() ? all : groups;
    if (!out.empty()) out += ',';
    if (each.group.empty()) out += quoted(each.name) + ':' + text(each.value);
    else out += fmt::format("[{},{},{}]", element(each.group), quoted(each.name), text(each.value));
  }
  std::string out;
  if (!all.empty()) out += fmt::format(",\"{}\":{{{}}}", key, all);
  if (!groups.empty()) out += fmt::format(",\"group_{}\":[{}]", key, groups);
  return out;
}

std::string count(std::uint64_t value) { return fmt::format("{}", value); }

std::string judged(const JudgedItem& item) {
  return fmt::format("[{},{},{},{}]", item.item, item.rank, number(item.score), number_of(item.mark));
}

std::string head_line(const Scores& scores) {
  std::string line =
      fmt::format("{{\"format\":\"{}\",\"version\":{},{},{},\"measures\":{}", kFormat, kVersion,
                  field("protocol", scores.protocol), field("subject", scores.subject), list(scores.measures, element));
  if (!scores.group_kind.empty()) line += ',' + field("group_kind", scores.group_kind);
  line += fmt::format(",\"queries\":{}", scores.queries.size());
  line += named_values("totals", scores.totals, number);
  line += named_values("counts", scores.counts, count);
  if (!scores.remarks.empty()) line += ",\"remarks\":" + list(scores.remarks, element);
  if (!scores.items.empty()) line += ",\"items\":" + list(scores.items, element);
  if (!scores.precision_at.empty()) line += ",\"precision_at\":" + list(scores.precision_at, number);
  if (const auto& all = scores.distribution)
    line += fmt::format(",\"distribution\":{{\"low\":{},\"high\":{},\"relevant\":{},\"irrelevant\":{}}}",
                        number(all->low), number(all->high), list(all->relevant, count), list(all->irrelevant, count));
  return line + "}\n";
}

void append_query(std::string& out, const QueryScores& query) {
  out += '{' + field("query", query.query);
  if (!query.group.empty()) out += ',' + field("group", query.group);
  fmt::format_to(std::back_inserter(out), ",\"relevant\":{},\"values\":{}", query.relevant, list(query.values, number));
  if (!query.top.empty()) out += ",\"top\":" + list(query.top, judged);
  if (!query.missed.empty()) out += ",\"missed\":" + list(query.missed, judged);
  if (!query.picture.empty()) out += ',' + field("picture", query.picture);
  if (query.texts != Texts::none)
    out += fmt::format(",\"texts\":\"{}\"", query.texts == Texts::query ? "query" : "items");
  out += "}\n";
}

// Reading.

using Json = nlohmann::ordered_json;

/// One line of a file. Every error is DamagedFile and names it.
class Line {
 public:
  Line(std::string_view text, const std::string& file, std::size_t number)
      : fields_(text, fmt::format("{}, line {}", file, number)) {}

  const JsonFields<Json>& fields() const { return fields_; }

  std::string bytes(const char* key) const {
    return fields_.bytes(key, (std::string(key) + "_b64").c_str()).value_or("");
  }

  std::string required_bytes(const char* key) const {
    return fields_.required(fields_.bytes(key, (std::string(key) + "_b64").c_str()), key);
  }

  /// The list at `key`, each element read by `read`; an empty one if there is none.
  template <typename Read>
  auto list(const char* key, const Read& read) const {
    const Json* found = fields_.find(key);
    return found ? elements(*found, key, read) : decltype(elements(*found, key, read))();
  }

  template <typename Read>
  auto required_list(const char* key, const Read& read) const {
    if (!fields_.find(key)) fail(fmt::format("no \"{}\"", key));
    return list(key, read);
  }

  template <typename Read>
  auto elements(const Json& from, const char* key, const Read& read) const {
    if (!from.is_array()) wrong(key, "a list", from);
    std::vector<decltype(read(from))> all;
    all.reserve(from.size());
    for (const Json& each : from) all.push_back(read(each));
    return all;
  }

  [[noreturn]] void wrong(const char* key, const char* expected, const Json& found) const {
    fail(fmt::format("\"{}\" must be {}, found {}", key, expected,
                     display_path(found.dump(-1, ' ', true).substr(0, 60))));
  }

  [[noreturn]] void fail(const std::string& what) const { fields_.fail(what); }

  double number(const Json& value, const char* key) const {
    if (!value.is_number()) wrong(key, "a number", value);
    return value.get<double>();
  }

  /// A number, or null for no value.
  double value(const Json& value, const char* key) const { return value.is_null() ? kNoValue : number(value, key); }

  std::uint64_t count(const Json& value, const char* key) const {
    if (!value.is_number_unsigned()) wrong(key, "a whole number", value);
    return value.get<std::uint64_t>();
  }

  std::string text(const Json& value, const char* key) const {
    if (value.is_string()) return value.get<std::string>();
    if (!value.is_object()) wrong(key, "a string", value);
    const auto coded = value.find("b64");
    if (coded == value.end() || !coded->is_string()) wrong(key, "a string", value);
    try {
      return base64_decode(coded->get<std::string>());
    } catch (const DamagedFile& error) {
      fail(fmt::format("\"{}\": {}", key, error.what()));
    }
  }

 private:
  JsonFields<Json> fields_;
};

ScoreDistribution read_distribution(const Line& line, const Json& json) {
  constexpr const char* kKey = "distribution";
  const auto part = [&](const char* key) -> const Json& {
    if (!json.is_object() || !json.contains(key))
      line.wrong(kKey, "an object of low, high, relevant, irrelevant", json);
    return json[key];
  };
  const auto counts = [&](const char* key) {
    return line.elements(part(key), kKey, [&](const Json& each) { return line.count(each, kKey); });
  };
  ScoreDistribution all{.low = line.number(part("low"), kKey),
                        .high = line.number(part("high"), kKey),
                        .relevant = counts("relevant"),
                        .irrelevant = counts("irrelevant")};
  if (all.relevant.size() != all.irrelevant.size() || !(all.low <= all.high))
    line.fail("\"distribution\" must have as many bins of relevant as of irrelevant, from low to high");
  return all;
}

/// The inverse of named_values().
template <typename Named, typename Read>
std::vector<Named> read_named(const Line& line, const char* key, const Read& read) {
  std::vector<Named> values;
  if (const Json* found = line.fields().find(key)) {
    if (!found->is_object()) line.wrong(key, "an object", *found);
    for (const auto& [name, value] : found->items()) values.push_back({name, read(value, key)});
  }
  const std::string of_groups = std::string("group_") + key;
  const char* const groups = of_groups.c_str();
  for (Named& value : line.list(groups, [&](const Json& each) {
         if (!each.is_array() || each.size() != 3) line.wrong(groups, "lists of group, name and value", each);
         return Named{line.text(each[1], groups), read(each[2], groups), line.text(each[0], groups)};
       }))
    values.push_back(std::move(value));
  return values;
}

struct Head {
  Scores scores;
  std::uint64_t queries = 0;
};

Head read_head(std::string_view text, const std::string& file) {
  const Line line(text, file, 1);
  const auto& fields = line.fields();
  if (fields.text("format").value_or("") != kFormat)
    throw Incompatible(
        fmt::format("{}: not a file of scores; expected one that cbir-eval wrote with --save", display_path(file)));
  const std::uint64_t version = fields.required(fields.count("version"), "version");
  if (version > kVersion)
    throw Incompatible(fmt::format("{}: scores of version {}; this program reads versions up to {}", display_path(file),
                                   version, kVersion));
  const auto texts = [&](const char* key) { return [&line, key](const Json& each) { return line.text(each, key); }; };
  Head head;
  Scores& scores = head.scores;
  scores.protocol = line.required_bytes("protocol");
  scores.subject = line.bytes("subject");
  scores.measures = line.required_list("measures", texts("measures"));
  scores.group_kind = line.bytes("group_kind");
  head.queries = fields.required(fields.count("queries"), "queries");
  scores.totals =
      read_named<Total>(line, "totals", [&](const Json& value, const char* key) { return line.value(value, key); });
  scores.counts =
      read_named<Count>(line, "counts", [&](const Json& value, const char* key) { return line.count(value, key); });
  scores.remarks = line.list("remarks", texts("remarks"));
  scores.items = line.list("items", texts("items"));
  scores.precision_at = line.list("precision_at", [&](const Json& each) { return line.number(each, "precision_at"); });
  if (const Json* all = fields.find("distribution")) scores.distribution = read_distribution(line, *all);
  return head;
}

/// [item, rank, score, mark]
JudgedItem read_judged(const Line& line, const char* key, const Json& json, std::size_t items) {
  const bool fits = json.is_array() && json.size() == 4 && json[0].is_number_unsigned() &&
                    json[0].get<std::uint64_t>() < items && json[1].is_number_unsigned() &&
                    (json[2].is_number() || json[2].is_null()) && json[3].is_number_integer();
  if (fits)
    for (const auto& [mark, number] : kMarks)
      if (json[3].get<std::int64_t>() == number)
        return {.item = json[0].get<std::uint32_t>(),
                .rank = json[1].get<std::uint64_t>(),
                .score = line.value(json[2], key),
                .mark = mark};
  line.wrong(key, fmt::format("a list of [item below {}, rank, score, mark -1, 0 or 1]", items).c_str(), json);
}

Texts read_texts(const Line& line) {
  const std::string texts = line.bytes("texts");
  if (texts.empty()) return Texts::none;
  if (texts != "query" && texts != "items")
    line.fail(fmt::format("\"texts\" is {}; expected query or items", display_path(texts)));
  return texts == "query" ? Texts::query : Texts::items;
}

QueryScores read_query(const Line& line, const Scores& scores) {
  const auto judged = [&](const char* key) {
    return line.list(key, [&, key](const Json& each) { return read_judged(line, key, each, scores.items.size()); });
  };
  QueryScores query{
      .query = line.required_bytes("query"),
      .group = line.bytes("group"),
      .relevant = line.fields().required(line.fields().count("relevant"), "relevant"),
      .values = line.required_list("values", [&](const Json& each) { return line.value(each, "values"); }),
      .top = judged("top"),
      .missed = judged("missed"),
      .picture = line.bytes("picture"),
      .texts = read_texts(line)};
  if (query.values.size() != scores.measures.size())
    line.fail(fmt::format("{}; expected {}, as there are measures in line 1", counted(query.values.size(), "value"),
                          scores.measures.size()));
  return query;
}

}  // namespace

std::string to_json_lines(const Scores& scores) {
  std::string out = head_line(scores);
  for (const QueryScores& query : scores.queries) append_query(out, query);
  return out;
}

Scores parse_scores(std::string_view text, const std::string& name) {
  if (text.empty()) throw MissingInput(fmt::format("{}: is empty; expected scores", display_path(name)));
  auto lines = split(text, '\n');
  if (lines.back().empty()) lines.pop_back();
  Head head = read_head(lines.front(), name);
  for (std::size_t i = 1; i < lines.size(); ++i)
    head.scores.queries.push_back(read_query(Line(lines[i], name, i + 1), head.scores));
  if (head.scores.queries.size() != head.queries)
    throw DamagedFile(fmt::format("{}: {} of queries follow line 1, which says {}; was the file cut short?",
                                  display_path(name), counted(head.scores.queries.size(), "line"), head.queries));
  return std::move(head.scores);
}

Scores read_scores(const std::string& path) {
  return parse_scores(read_text(path), path == "-" ? "standard input" : path);
}

}  // namespace cbir
