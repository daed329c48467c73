/// cbir-eval revisited: the protocol of the revisited Oxford and Paris.

#include <CLI/App.hpp>
#include <memory>
#include <string>

#include <cbir/eval/revisited.hpp>

#include "eval.hpp"
#include "output.hpp"
#include "source.hpp"

namespace cbir::eval {
namespace {

struct RevisitedToolOptions {
  std::string groundtruth;  ///< gnd_roxford5k.pkl, or the same as JSON
  SourceOptions source;
  RevisitedOptions protocol;
  BoxOptions boxes;
  TrecOptions trec;
  OutputOptions output;
};

CLI::App* add_options(CLI::App& app, RevisitedToolOptions& options) {
  CLI::App* revisited = app.add_subcommand("revisited", "Score against the ground truth of roxford5k or rparis6k");
  revisited->footer("Example:\n  cbir-eval revisited --groundtruth gnd_roxford5k.pkl roxford5k.cbir --queries queries");
  revisited
      ->add_option("--groundtruth", options.groundtruth,
                   "The published pickle, which is read as data, or the same as JSON")
      ->type_name("FILE.pkl|FILE.json");
  add_source_options(*revisited, options.source);
  add_cutoffs(*revisited, options.protocol.cutoffs, "precision is taken");
  add_box_options(*revisited, options.boxes);
  add_trec_options(*revisited, options.trec);
  add_output_options(*revisited, options.output, "");
  return revisited;
}

std::vector<std::string> all_inputs(const RevisitedToolOptions& options) {
  std::vector<std::string> inputs = inputs_of(options.source);
  inputs.push_back(options.groundtruth);
  return inputs;
}

ExitCode run(RevisitedToolOptions options, const Program& program) {
  take_groundtruth(options.groundtruth, options.boxes);
  const RevisitedTruth truth = read_revisited_truth(options.groundtruth);
  if (!options.boxes.file.empty()) {
    write_boxes(boxes_of(truth), options.boxes, all_inputs(options), options.output.force);
    return ExitCode::ok;
  }
  const auto judge = [&](const Rankings& rankings, const DetailOptions& details, const EvaluationProgress& progress) {
    RevisitedOptions protocol = options.protocol;
    protocol.details = details;
    return evaluate_revisited(truth, rankings, protocol, progress);
  };
  return judge_rankings(options.source, options.trec, options.output, all_inputs(options), program, judge);
}

}  // namespace

Command add_revisited(Program& program) {
  const auto options = std::make_shared<RevisitedToolOptions>();
  return {add_options(program.app(), *options), [options, &program] { return run(*options, program); }};
}

}  // namespace cbir::eval
