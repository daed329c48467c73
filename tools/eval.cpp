/// cbir-eval: how good rankings are.

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <optional>
#include <string>
#include <vector>

#include <cbir/base/file.hpp>
#include <cbir/base/log.hpp>
#include <cbir/base/parallel.hpp>
#include <cbir/cli/program.hpp>
#include <cbir/eval/collection.hpp>
#include <cbir/eval/report.hpp>

namespace {

struct LabelsOptions {
  std::string database;                           ///< a set or an index
  std::optional<std::string> queries;             ///< default: leave-one-out over the database
  std::optional<std::string> labels;              ///< a TSV; default: the rows' own labels
  std::optional<std::string> metric;              ///< default: the database's own
  std::vector<std::size_t> cutoffs = {1, 5, 10};  ///< of precision, recall and hit
  std::size_t threads = 0;                        ///< 0: all processors
  bool per_class = false;
  bool allow_mismatch = false;
  bool json = false;
};

struct CopiesOptions {
  std::string ranking;   ///< TSV of cbir-query or TREC run; "-": standard input
  std::string manifest;  ///< of cbir-doctor
  bool json = false;
};

CLI::App* add_labels(CLI::App& app, LabelsOptions& options) {
  CLI::App* labels = app.add_subcommand("labels", "Score against labels: relevant is what has the query's label");
  labels->footer("Example:\n  cbir-eval labels photos.cbir --per-class");
  labels->add_option("DATABASE", options.database, "An embedding set or an index; each row queries all the others")
      ->required();
  labels->add_option("--queries", options.queries, "Query with the rows of this set or index instead");
  labels->add_option("--labels", options.labels, "TSV of path and label, instead of the labels that the rows carry");
  labels->add_option("-k,--cutoffs", options.cutoffs, "Ranks at which precision, recall and hit are taken")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->check(cbir::whole_number(1))
      ->type_name("K")
      ->capture_default_str();
  labels->add_option("--metric", options.metric, "cosine, dot or l2, instead of the set's own");
  labels->add_flag("--per-class", options.per_class, "Scores of each class too");
  labels->add_flag("--json", options.json, "One JSON object instead of TSV");
  labels->add_flag("--allow-mismatch", options.allow_mismatch, "Compare vectors of different encoders");
  cbir::add_threads(*labels, options.threads);
  return labels;
}

CLI::App* add_copies(CLI::App& app, CopiesOptions& options) {
  CLI::App* copies = app.add_subcommand("copies", "Score rankings of doctored copies: relevant is the original");
  copies->footer("Example:\n  cbir-eval copies ranking.tsv --manifest copies/manifest.tsv");
  copies->add_option("RANKING", options.ranking, "TSV of cbir-query, or a TREC run; -: standard input")->required();
  copies->add_option("--manifest", options.manifest, "The manifest.tsv that cbir-doctor wrote beside the copies")
      ->required();
  copies->add_flag("--json", options.json, "One JSON object instead of TSV");
  return copies;
}

template <typename Report>
void print(const Report& report, bool json) {
  for (const std::string& remark : cbir::remarks(report)) cbir::log(cbir::LogLevel::warning, remark);
  cbir::OutputFile out("-", true);
  out.write(json ? cbir::to_json(report) : cbir::to_tsv(report));
  out.commit();
}

cbir::ExitCode run_labels(const LabelsOptions& options, const cbir::Program& program) {
  cbir::CollectionEvaluation plan{.database = options.database,
                                  .queries = options.queries,
                                  .labels = options.labels,
                                  .metric = std::nullopt,
                                  .allow_mismatch = options.allow_mismatch,
                                  .measures = {options.cutoffs, options.per_class}};
  if (options.metric) plan.metric = cbir::parse_metric(*options.metric);
  const cbir::ThreadLimit limit(options.threads);
  std::optional<cbir::ProgressLine> line;
  const auto report = cbir::evaluate_collection(plan, [&](std::uint64_t done, std::uint64_t queries) {
    if (!line) line.emplace("queries", queries, program.shows_progress());
    line->update(done);
  });
  line.reset();
  print(report, options.json);
  return cbir::ExitCode::ok;
}

cbir::ExitCode run_copies(const CopiesOptions& options) {
  const auto truth = cbir::read_copy_manifest(options.manifest);
  const auto report = cbir::evaluate_copies(truth, cbir::read_ranking(options.ranking));
  print(report, options.json);
  return report.missing.empty() ? cbir::ExitCode::ok : cbir::ExitCode::skipped;
}

}  // namespace

int main(int argc, char** argv) {
  cbir::Program program({.name = "cbir-eval",
                         .summary = "Says how good rankings are, as numbers of the field.",
                         .example = "cbir-eval labels photos.cbir",
                         .see_also = "cbir-index, cbir-query, cbir-doctor"});
  LabelsOptions labels_options;
  CopiesOptions copies_options;
  program.app().fallthrough();  // the common options may follow the sub-command
  const CLI::App* labels = add_labels(program.app(), labels_options);
  add_copies(program.app(), copies_options);
  program.app().require_subcommand(1);
  return program.run(
      argc, argv, [&] { return labels->parsed() ? run_labels(labels_options, program) : run_copies(copies_options); });
}
