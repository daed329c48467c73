#include "source.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <limits>
#include <utility>

#include <cbir/base/error.hpp>
#include <cbir/base/file.hpp>
#include <cbir/base/parallel.hpp>
#include <cbir/base/text.hpp>
#include <cbir/eval/trec.hpp>

namespace cbir::eval {
namespace {

/// What an evaluation has to keep for these, too.
DetailOptions details_of(const OutputOptions& output, const TrecOptions& options) {
  DetailOptions details = details_of(output);
  if (!options.run.empty()) details.top = std::max(details.top, options.depth);
  if (!options.qrels.empty()) {
    details.top = std::max<std::size_t>(details.top, 1);
    details.missed = std::numeric_limits<std::size_t>::max();
  }
  return details;
}

/// For a call before the work, as check_outputs.
void check_trec(const TrecOptions& options, const std::vector<std::string>& inputs, bool force) {
  for (const std::string& file : {options.run, options.qrels}) {
    if (file.empty()) continue;
    refuse_to_replace(file, inputs);
    const OutputFile would_fail_now(file, force);
  }
  if (!options.run.empty() && options.run == options.qrels)
    throw UsageError(fmt::format("{}: is the name of two outputs; give each its own", display_path(options.run)));
}

void write_trec(const Scores& scores, const TrecOptions& options, bool force) {
  if (!options.run.empty()) write_file(options.run, to_trec_run(scores), force);
  if (!options.qrels.empty()) write_file(options.qrels, to_trec_qrels(scores), force);
}

Rankings open_rankings(const SourceOptions& options) {
  if (options.rankings.empty())
    throw UsageError("name what is to be judged: a run, or a set or an index to search (see --help)");
  RankingSource source{.name = options.rankings,
                       .queries = options.queries,
                       .metric = std::nullopt,
                       .allow_mismatch = options.allow_mismatch,
                       .improve = options.improve};
  check_improvements(options.improve);
  if (options.metric) source.metric = parse_metric(*options.metric);
  return Rankings::open(source);
}

}  // namespace

void add_source_options(CLI::App& app, SourceOptions& options) {
  app.add_option(
      "RANKINGS", options.rankings,
      "A run: TSV of cbir-query or TREC, -: standard input; or a set or an index, which is searched exactly");
  app.add_option("--queries", options.queries,
                 "Query with the rows of this set or index, which bear the queries' names");
  app.add_option("--metric", options.metric, "cosine, dot or l2, instead of the set's own");
  app.add_flag("--allow-mismatch", options.allow_mismatch, "Compare vectors of different encoders");
  add_improvement_options(app, options.improve);
  add_threads(app, options.threads);
}

std::vector<std::string> inputs_of(const SourceOptions& options) {
  std::vector<std::string> inputs{options.rankings};
  for (const auto& name : {std::optional(options.rankings), options.queries})
    if (name && Collection::is_name_of_one(*name))
      std::ranges::copy(files_of_collection(*name), std::back_inserter(inputs));
  if (!options.improve.whiten.empty()) inputs.push_back(options.improve.whiten);
  return inputs;
}

void add_cutoffs(CLI::App& app, std::vector<std::size_t>& cutoffs, const std::string& what) {
  app.add_option("-k,--cutoffs", cutoffs, "Ranks at which " + what)
      ->delimiter(',')
      ->allow_extra_args(false)
      ->check(whole_number(1))
      ->type_name("K")
      ->capture_default_str();
}

void add_box_options(CLI::App& app, BoxOptions& options) {
  CLI::Option* boxes = app.add_option("--write-boxes", options.file,
                                      "Write the queries' boxes for cbir-extract, and nothing else; -: "
                                      "standard output")
                           ->type_name("FILE.tsv");
  app.add_option("--pictures", options.pictures, "The folder in which the queries' pictures lie, for --write-boxes")
      ->type_name("DIR")
      ->needs(boxes);
}

void take_groundtruth(std::string& groundtruth, BoxOptions& options) {
  if (!groundtruth.empty()) return;
  if (options.file.empty()) throw UsageError("--groundtruth is missing: it says what is relevant to which query");
  groundtruth = std::exchange(options.file, "-");
}

void write_boxes(std::vector<QueryBox> boxes, const BoxOptions& options, const std::vector<std::string>& inputs,
                 bool force) {
  refuse_to_replace(options.file, inputs);
  locate_pictures(boxes, options.pictures);
  write_file(options.file, to_tsv(boxes), force);
}

void add_trec_options(CLI::App& app, TrecOptions& options) {
  CLI::Option* run = app.add_option("--write-run", options.run, "Write the rankings without junk as a TREC run, too")
                         ->type_name("FILE");
  app.add_option("--write-qrels", options.qrels, "Write what is relevant as TREC qrels, too")->type_name("FILE");
  app.add_option("--depth", options.depth, "Results of each query in the run")
      ->check(whole_number(1))
      ->type_name("N")
      ->needs(run)
      ->capture_default_str();
}

ExitCode judge_rankings(const SourceOptions& source, const TrecOptions& trec, const OutputOptions& output,
                        const std::vector<std::string>& inputs, const Program& program, const Judge& judge) {
  check_outputs(output, inputs);
  check_trec(trec, inputs, output.force);
  const ThreadLimit limit(source.threads);
  const Scores scores = judge(open_rankings(source), details_of(output, trec), show_progress(program));
  write_trec(scores, trec, output.force);
  return deliver(scores, output);
}

}  // namespace cbir::eval
