#include <fmt/format.h>

#include <cmath>
#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <variant>

#include <cbir/base/text.hpp>
#include <cbir/eval/scores.hpp>

namespace cbir {
namespace {

/// What a line says: a fraction or a count, with its name.
struct Value {
  std::string name;
  std::variant<double, std::uint64_t> value;
};

using Values = std::vector<Value>;

std::string to_text(const Value& value) {
  if (const auto* fraction = std::get_if<double>(&value.value)) return fmt::format("{:.6f}", *fraction);
  return fmt::format("{}", std::get<std::uint64_t>(value.value));
}

void append_json(nlohmann::ordered_json& object, const Values& values) {
  for (const Value& each : values) std::visit([&](auto number) { object[each.name] = number; }, each.value);
}

/// A name as JSON text; bytes that are not UTF-8 as in a TSV.
std::string json_name(const std::string& name) { return is_utf8(name) ? name : tsv_escape(name); }

Values values_of(const std::vector<std::string>& measures, const std::vector<Mean>& means,
                 const std::vector<Interval>* intervals) {
  Values values;
  for (std::size_t m = 0; m < measures.size(); ++m) {
    if (means[m].queries == 0) continue;
    values.push_back({measures[m], means[m].value});
    if (!intervals) continue;
    values.push_back({measures[m] + "_low", (*intervals)[m].low});
    values.push_back({measures[m] + "_high", (*intervals)[m].high});
  }
  return values;
}

/// What is no mean, of one group or of all queries.
void append_totals(Values& values, const Scores& scores, std::uint64_t queries, const std::string& group) {
  for (const Total& total : scores.totals)
    if (total.group == group && !std::isnan(total.value)) values.push_back({total.name, total.value});
  values.push_back({"queries", queries});
  for (const Count& count : scores.counts)
    if (count.group == group) values.push_back({count.name, count.value});
}

Values values_of(const Scores& scores, const std::vector<Interval>* intervals) {
  Values values = values_of(scores.measures, means(scores), intervals);
  append_totals(values, scores, scores.queries.size(), "");
  return values;
}

/// Those of each group, in the order of group_means.
std::vector<std::pair<std::string, Values>> values_of_groups(const Scores& scores) {
  std::map<std::string_view, std::uint64_t> queries;
  for (const QueryScores& query : scores.queries) ++queries[query.group];
  std::vector<std::pair<std::string, Values>> groups;
  for (auto& [name, means] : group_means(scores)) {
    groups.emplace_back(name, values_of(scores.measures, means, nullptr));
    append_totals(groups.back().second, scores, queries[name], name);
  }
  return groups;
}

}  // namespace

std::string to_tsv(const Scores& scores, const ScoreTextOptions& options) {
  std::string out;
  for (const Value& value : values_of(scores, options.intervals))
    out += fmt::format("{}\t{}\n", value.name, to_text(value));
  if (!options.groups) return out;
  for (const auto& [name, values] : values_of_groups(scores))
    for (const Value& value : values) out += fmt::format("{}\t{}\t{}\n", value.name, tsv_escape(name), to_text(value));
  return out;
}

std::string to_json(const Scores& scores, const ScoreTextOptions& options) {
  nlohmann::ordered_json object;
  append_json(object, values_of(scores, options.intervals));
  if (options.groups) {
    auto& list = object["per_" + scores.group_kind] = nlohmann::ordered_json::array();
    for (const auto& [name, values] : values_of_groups(scores)) {
      nlohmann::ordered_json group{{scores.group_kind, json_name(name)}};
      append_json(group, values);
      list.push_back(std::move(group));
    }
  }
  return object.dump() + "\n";
}

std::string per_query_tsv(const Scores& scores) {
  std::string out = "query\tgroup\trelevant";
  for (const std::string& measure : scores.measures) out += '\t' + measure;
  out += '\n';
  for (const QueryScores& query : scores.queries) {
    out += fmt::format("{}\t{}\t{}", tsv_escape(query.query), tsv_escape(query.group), query.relevant);
    for (const double value : query.values) out += std::isnan(value) ? "\t-" : fmt::format("\t{:.6f}", value);
    out += '\n';
  }
  return out;
}

}  // namespace cbir
