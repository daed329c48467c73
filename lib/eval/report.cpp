#include <cbir/eval/report.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <variant>

#include <cbir/base/text.hpp>

namespace cbir {
namespace {

/// A score with its name: a fraction or a count.
struct Value {
  std::string name;
  std::variant<double, std::uint64_t> value;
};

using Values = std::vector<Value>;

std::string to_text(const Value& value) {
  if (const auto* fraction = std::get_if<double>(&value.value)) return fmt::format("{:.6f}", *fraction);
  return fmt::format("{}", std::get<std::uint64_t>(value.value));
}

void append_tsv(std::string& out, const Values& values) {
  for (const Value& value : values) out += fmt::format("{}\t{}\n", value.name, to_text(value));
}

void append_tsv(std::string& out, const Values& values, const std::string& group) {
  for (const Value& value : values) out += fmt::format("{}\t{}\t{}\n", value.name, tsv_escape(group), to_text(value));
}

void append_json(nlohmann::ordered_json& object, const Values& values) {
  for (const auto& [name, value] : values) std::visit([&](auto number) { object[name] = number; }, value);
}

std::string dump(const nlohmann::ordered_json& object) { return object.dump() + "\n"; }

/// A name as JSON text; bytes that are not UTF-8 as in a TSV.
std::string json_name(const std::string& name) { return is_utf8(name) ? name : tsv_escape(name); }

Values values_of(const LabelScores& scores, const std::vector<std::size_t>& cutoffs) {
  Values values{{"map", scores.map}, {"mrr", scores.mrr}, {"r_precision", scores.r_precision}};
  for (std::size_t c = 0; c < cutoffs.size(); ++c)
    values.push_back({fmt::format("p@{}", cutoffs[c]), scores.precision[c]});
  for (std::size_t c = 0; c < cutoffs.size(); ++c)
    values.push_back({fmt::format("r@{}", cutoffs[c]), scores.recall[c]});
  for (std::size_t c = 0; c < cutoffs.size(); ++c) values.push_back({fmt::format("hit@{}", cutoffs[c]), scores.hit[c]});
  values.push_back({"queries", scores.queries});
  return values;
}

Values values_of(const LabelReport& report) {
  Values values = values_of(report.all, report.cutoffs);
  values.push_back({"queries_unlabelled", report.skipped_unlabelled});
  values.push_back({"queries_alone", report.skipped_alone});
  values.push_back({"rows", report.database});
  values.push_back({"rows_unlabelled", report.database_unlabelled});
  values.push_back({"classes", report.classes});
  return values;
}

Values values_of(const CopyScores& scores) {
  return {{"first", scores.first},
          {"mrr", scores.mrr},
          {"r@10", scores.recall_10},
          {"first_count", scores.first_count},
          {"queries", scores.queries}};
}

Values values_of(const CopyReport& report) {
  Values values = values_of(report.all);
  values.push_back({"queries_missing", std::uint64_t{report.missing.size()}});
  values.push_back({"queries_unknown", report.unknown_queries});
  return values;
}

/// `one` or `many`, in which {} is the count.
std::string sentence(std::uint64_t count, const char* one, const char* many) {
  return fmt::format(fmt::runtime(count == 1 ? one : many), count);
}

}  // namespace

std::string to_tsv(const LabelReport& report) {
  std::string out;
  append_tsv(out, values_of(report));
  for (const auto& [name, scores] : report.per_class) append_tsv(out, values_of(scores, report.cutoffs), name);
  return out;
}

std::string to_json(const LabelReport& report) {
  nlohmann::ordered_json object;
  append_json(object, values_of(report));
  for (const auto& [name, scores] : report.per_class) {
    nlohmann::ordered_json of_class{{"class", json_name(name)}};
    append_json(of_class, values_of(scores, report.cutoffs));
    object["per_class"].push_back(std::move(of_class));
  }
  return dump(object);
}

std::string to_tsv(const CopyReport& report) {
  std::string out;
  append_tsv(out, values_of(report));
  for (const auto& [attack, scores] : report.per_attack) append_tsv(out, values_of(scores), attack);
  return out;
}

std::string to_json(const CopyReport& report) {
  nlohmann::ordered_json object;
  append_json(object, values_of(report));
  for (const auto& [attack, scores] : report.per_attack) {
    nlohmann::ordered_json of_attack{{"attack", json_name(attack)}};
    append_json(of_attack, values_of(scores));
    object["per_attack"].push_back(std::move(of_attack));
  }
  return dump(object);
}

std::vector<std::string> remarks(const LabelReport& report) {
  std::vector<std::string> sentences;
  if (report.skipped_unlabelled)
    sentences.push_back(sentence(report.skipped_unlabelled, "{} query without a label is left out of the means",
                                 "{} queries without a label are left out of the means"));
  if (report.skipped_alone)
    sentences.push_back(sentence(report.skipped_alone, "{} query whose label no other row has is left out of the means",
                                 "{} queries whose labels no other row has are left out of the means"));
  if (report.database_unlabelled)
    sentences.push_back(sentence(report.database_unlabelled, "{} row without a label is a wrong answer to every query",
                                 "{} rows without a label are wrong answers to every query"));
  return sentences;
}

std::vector<std::string> remarks(const CopyReport& report) {
  constexpr std::size_t kNamed = 5;
  std::vector<std::string> sentences;
  if (!report.missing.empty()) {
    std::string names;
    for (std::size_t i = 0; i < std::min(kNamed, report.missing.size()); ++i)
      names += fmt::format("{}{}", i ? ", " : "", display_path(report.missing[i]));
    if (report.missing.size() > kNamed) names += fmt::format(" and {} more", report.missing.size() - kNamed);
    sentences.push_back(sentence(report.missing.size(),
                                 "{} copy of the manifest has no ranking and counts as not found: ",
                                 "{} copies of the manifest have no ranking and count as not found: ") +
                        names);
  }
  if (report.unknown_queries)
    sentences.push_back(sentence(report.unknown_queries, "{} query that the manifest does not name is left out",
                                 "{} queries that the manifest does not name are left out"));
  if (!report.any_found)
    sentences.push_back("no original stands in the ranking of its copy; were the originals indexed under other paths?");
  else if (report.longest < 10)
    sentences.push_back(sentence(report.longest, "no ranking holds more than {} result: r@10 counts that alone",
                                 "no ranking holds more than {} results: r@10 counts those alone"));
  return sentences;
}

}  // namespace cbir
