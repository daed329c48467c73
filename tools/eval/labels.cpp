/// cbir-eval labels: relevant is what has the label of the query.

#include <CLI/App.hpp>
#include <algorithm>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <cbir/base/parallel.hpp>
#include <cbir/eval/collection.hpp>

#include "eval.hpp"
#include "output.hpp"

namespace cbir::eval {
namespace {

struct LabelsOptions {
  std::string database;                           ///< a set or an index
  std::optional<std::string> queries;             ///< default: leave-one-out over the database
  std::optional<std::string> labels;              ///< a TSV; default: the rows' own labels
  std::optional<std::string> metric;              ///< default: the database's own
  std::vector<std::size_t> cutoffs = {1, 5, 10};  ///< of precision, recall, hit and nDCG
  std::size_t threads = 0;                        ///< 0: all processors
  Improvements improve;                           ///< what is done to the vectors first
  bool augment = false;                           ///< average rows with their neighbours before that
  bool allow_mismatch = false;
  OutputOptions output;
};

CLI::App* add_options(CLI::App& app, LabelsOptions& options) {
  CLI::App* labels = app.add_subcommand("labels", "Score against labels: relevant is what has the query's label");
  labels->footer("Example:\n  cbir-eval labels photos.cbir --per-class");
  labels->add_option("DATABASE", options.database, "An embedding set or an index; each row queries all the others")
      ->required();
  labels->add_option("--queries", options.queries, "Query with the rows of this set or index instead");
  labels->add_option("--labels", options.labels, "TSV of path and label, instead of the labels that the rows carry");
  labels->add_option("-k,--cutoffs", options.cutoffs, "Ranks at which precision, recall, hit and nDCG are taken")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->check(whole_number(1))
      ->type_name("K")
      ->capture_default_str();
  labels->add_option("--metric", options.metric, "cosine, dot or l2, instead of the set's own");
  labels->add_flag("--allow-mismatch", options.allow_mismatch, "Compare vectors of different encoders");
  add_improvement_options(*labels, options.improve);
  labels
      ->add_flag("--augment", options.augment,
                 "Augment the database first, as cbir-index augment does, and score a split into queries and database, "
                 "too")
      ->group(kBetterRankings);
  add_output_options(*labels, options.output, "class");
  add_threads(*labels, options.threads);
  return labels;
}

std::vector<std::string> inputs_of(const LabelsOptions& options) {
  std::vector<std::string> inputs = files_of_collection(options.database);
  if (options.queries) std::ranges::copy(files_of_collection(*options.queries), std::back_inserter(inputs));
  if (options.labels) inputs.push_back(*options.labels);
  if (!options.improve.whiten.empty()) inputs.push_back(options.improve.whiten);
  return inputs;
}

ExitCode run(const LabelsOptions& options, const Program& program) {
  CollectionEvaluation plan{.database = options.database,
                            .queries = options.queries,
                            .labels = options.labels,
                            .metric = std::nullopt,
                            .allow_mismatch = options.allow_mismatch,
                            .measures = {options.cutoffs, details_of(options.output)},
                            .improve = options.improve,
                            .augment = options.augment,
                            .split_seed = options.output.bootstrap.seed};
  check_improvements(options.improve);
  if (options.metric) plan.metric = parse_metric(*options.metric);
  check_outputs(options.output, inputs_of(options));
  const ThreadLimit limit(options.threads);
  return deliver(evaluate_collection(plan, show_progress(program)), options.output);
}

}  // namespace

Command add_labels(Program& program) {
  const auto options = std::make_shared<LabelsOptions>();
  return {add_options(program.app(), *options), [options, &program] { return run(*options, program); }};
}

}  // namespace cbir::eval
