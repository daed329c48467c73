/// cbir-eval copies: doctored copies, whose one right answer is the original.

#include <CLI/App.hpp>
#include <algorithm>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <cbir/base/parallel.hpp>
#include <cbir/eval/copies.hpp>
#include <cbir/eval/ranking_file.hpp>

#include "eval.hpp"
#include "output.hpp"

namespace cbir::eval {
namespace {

struct CopiesOptions {
  std::string ranking;                 ///< TSV of cbir-query or TREC run, "-": standard input; or what `queries` ask
  std::string manifest;                ///< of cbir-doctor
  std::optional<std::string> queries;  ///< a set or an index of the copies: search for them, exactly
  std::optional<std::string> metric;   ///< default: the database's own
  bool allow_mismatch = false;
  Improvements improve;     ///< what is done to the vectors first
  std::size_t threads = 0;  ///< 0: all processors
  OutputOptions output;
};

CLI::App* add_options(CLI::App& app, CopiesOptions& options) {
  CLI::App* copies = app.add_subcommand("copies", "Score searches for doctored copies: relevant is the original");
  copies->footer(
      "Examples:\n  cbir-eval copies ranking.tsv --manifest copies/manifest.tsv\n"
      "  cbir-eval copies photos.cbir --queries copies.json --manifest copies/manifest.tsv");
  copies
      ->add_option("RANKING", options.ranking,
                   "TSV of cbir-query, or a TREC run; -: standard input; with --queries an index or a set")
      ->type_name("RANKING|SET|X.cbir")
      ->required();
  copies->add_option("--manifest", options.manifest, "The manifest.tsv that cbir-doctor wrote beside the copies")
      ->required();
  CLI::Option* queries =
      copies->add_option("--queries", options.queries, "Search for the copies in this set or index, exactly")
          ->type_name("SET");
  copies->add_option("--metric", options.metric, "cosine, dot or l2, instead of the set's own")->needs(queries);
  copies->add_flag("--allow-mismatch", options.allow_mismatch, "Compare vectors of different encoders")->needs(queries);
  add_improvement_options(*copies, options.improve, queries);
  add_output_options(*copies, options.output, "");
  options.output.groups = true;
  add_threads(*copies, options.threads);
  return copies;
}

std::vector<std::string> inputs_of(const CopiesOptions& options) {
  std::vector<std::string> inputs{options.manifest};
  if (options.queries) {
    std::ranges::copy(files_of_collection(options.ranking), std::back_inserter(inputs));
    std::ranges::copy(files_of_collection(*options.queries), std::back_inserter(inputs));
  } else {
    inputs.push_back(options.ranking);
  }
  if (!options.improve.whiten.empty()) inputs.push_back(options.improve.whiten);
  return inputs;
}

Scores evaluate(const CopiesOptions& options, const Program& program) {
  const auto truth = read_copy_manifest(options.manifest);
  if (!options.queries) {
    if (Collection::is_name_of_one(options.ranking))
      throw UsageError("an index or a set does not tell what is asked of it: --queries SET, the vectors of the copies");
    Scores scores = evaluate_copies(truth, read_ranking(options.ranking), details_of(options.output));
    scores.subject = options.ranking;
    return scores;
  }
  CopySearch search{.database = options.ranking,
                    .queries = *options.queries,
                    .allow_mismatch = options.allow_mismatch,
                    .improve = options.improve,
                    .details = details_of(options.output)};
  if (options.metric) search.metric = parse_metric(*options.metric);
  return evaluate_copies(truth, search, show_progress(program));
}

ExitCode run(const CopiesOptions& options, const Program& program) {
  check_improvements(options.improve);
  check_outputs(options.output, inputs_of(options));
  const ThreadLimit limit(options.threads);
  return deliver(evaluate(options, program), options.output);
}

}  // namespace

Command add_copies(Program& program) {
  const auto options = std::make_shared<CopiesOptions>();
  return {add_options(program.app(), *options), [options, &program] { return run(*options, program); }};
}

}  // namespace cbir::eval
