/// cbir-eval qrels: relevance judged as TREC does.

#include <CLI/App.hpp>
#include <memory>
#include <string>

#include <cbir/eval/qrels.hpp>

#include "eval.hpp"
#include "output.hpp"
#include "source.hpp"

namespace cbir::eval {
namespace {

struct QrelsToolOptions {
  std::string qrels;  ///< `topic iteration item grade`; "-": standard input
  SourceOptions source;
  QrelsOptions protocol;
  TrecOptions trec;
  OutputOptions output;
};

CLI::App* add_options(CLI::App& app, QrelsToolOptions& options) {
  CLI::App* qrels = app.add_subcommand("qrels", "Score against TREC qrels");
  qrels->footer("Example:\n  cbir-eval qrels qrels.txt run.trec -k 5,10,100");
  qrels->add_option("QRELS", options.qrels, "Lines of topic, iteration, item and grade; -: standard input")->required();
  add_source_options(*qrels, options.source);
  add_cutoffs(*qrels, options.protocol.cutoffs, "precision, recall, hit and nDCG are taken");
  qrels->add_option("--relevance", options.protocol.relevance, "The least grade that counts as relevant")
      ->check(whole_number(1, INT64_MAX))
      ->type_name("N")
      ->capture_default_str();
  add_trec_options(*qrels, options.trec);
  add_output_options(*qrels, options.output, "");
  return qrels;
}

ExitCode run(const QrelsToolOptions& options, const Program& program) {
  std::vector<std::string> inputs = inputs_of(options.source);
  inputs.push_back(options.qrels);
  if (options.qrels == "-" && options.source.rankings == "-")
    throw UsageError("standard input can be the qrels or the run, and not both");
  const auto judge = [&](const Rankings& rankings, const DetailOptions& details, const EvaluationProgress& progress) {
    QrelsOptions protocol = options.protocol;
    protocol.details = details;
    return evaluate_qrels(read_qrels(options.qrels), rankings, protocol, progress);
  };
  return judge_rankings(options.source, options.trec, options.output, inputs, program, judge);
}

}  // namespace

Command add_qrels(Program& program) {
  const auto options = std::make_shared<QrelsToolOptions>();
  return {add_options(program.app(), *options), [options, &program] { return run(*options, program); }};
}

}  // namespace cbir::eval
