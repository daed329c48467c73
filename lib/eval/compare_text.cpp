#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include <cbir/base/text.hpp>
#include <cbir/eval/compare.hpp>

namespace cbir {
namespace {

std::string number(double value) {
  if (std::isnan(value)) return "-";
  const double least = 5e-7;  // what is printed as zero has no sign
  return fmt::format("{:.6f}", std::abs(value) < least ? 0 : value);
}

/// Names as JSON text; bytes that are not UTF-8 as in a TSV.
std::string json_name(const std::string& name) { return is_utf8(name) ? name : tsv_escape(name); }

nlohmann::ordered_json json_names(const std::vector<std::string>& names) {
  auto list = nlohmann::ordered_json::array();
  for (const std::string& name : names) list.push_back(json_name(name));
  return list;
}

}  // namespace

std::string to_tsv(const Comparison& comparison, const Moves* moves) {
  std::string out = "measure\ta\tb\tdifference\tlow\thigh\tp\tbetter\tworse\tequal\tqueries\n";
  for (const MeasureComparison& each : comparison.measures)
    out += fmt::format("{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\n", tsv_escape(each.measure), number(each.a),
                       number(each.b), number(each.difference), number(each.interval.low), number(each.interval.high),
                       number(each.p_value), each.better, each.worse, each.equal, each.queries);
  if (!moves) return out;
  out += "\nquery\ta\tb\tdifference\n";
  for (const MovedQuery& query : moves->queries)
    out += fmt::format("{}\t{}\t{}\t{}\n", tsv_escape(query.query), number(query.a), number(query.b),
                       number(query.b - query.a));
  return out;
}

std::string to_json(const Comparison& comparison, const Moves* moves) {
  nlohmann::ordered_json object{{"queries", comparison.pairs.size()},
                                {"only_a", json_names(comparison.only_a)},
                                {"only_b", json_names(comparison.only_b)},
                                {"measures", nlohmann::ordered_json::array()}};
  for (const MeasureComparison& each : comparison.measures)
    object["measures"].push_back({{"measure", json_name(each.measure)},
                                  {"a", each.a},
                                  {"b", each.b},
                                  {"difference", each.difference},
                                  {"low", each.interval.low},
                                  {"high", each.interval.high},
                                  {"p", each.p_value},
                                  {"exact", each.exact},
                                  {"better", each.better},
                                  {"worse", each.worse},
                                  {"equal", each.equal},
                                  {"queries", each.queries}});
  if (moves) {
    auto list = nlohmann::ordered_json::array();
    for (const MovedQuery& query : moves->queries)
      list.push_back(
          {{"query", json_name(query.query)}, {"a", query.a}, {"b", query.b}, {"difference", query.b - query.a}});
    object["moved"] = {{"measure", json_name(moves->measure)}, {"queries", std::move(list)}};
  }
  return object.dump() + "\n";
}

std::vector<std::string> remarks(const Comparison& comparison, const ComparisonOptions& options) {
  constexpr std::size_t kNamed = 5;
  std::vector<std::string> sentences;
  const auto say = [&](const std::vector<std::string>& alone, std::string_view one, std::string_view many,
                       const std::string& file) {
    if (alone.empty()) return;
    std::string names;
    for (std::size_t i = 0; i < std::min(kNamed, alone.size()); ++i)
      names += fmt::format("{}{}", i ? ", " : "", display_path(alone[i]));
    if (alone.size() > kNamed) names += fmt::format(" and {} more", alone.size() - kNamed);
    sentences.push_back(fmt::format("{} {} in {} alone {} left out: {}", alone.size(), alone.size() == 1 ? one : many,
                                    display_path(file), alone.size() == 1 ? "is" : "are", names));
  };
  say(comparison.only_a, "query", "queries", options.name_a);
  say(comparison.only_b, "query", "queries", options.name_b);
  say(comparison.measures_only_a, "measure", "measures", options.name_a);
  say(comparison.measures_only_b, "measure", "measures", options.name_b);
  return sentences;
}

}  // namespace cbir
