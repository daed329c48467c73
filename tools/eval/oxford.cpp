/// cbir-eval oxford: the protocol of Oxford 5K and Paris 6K.

#include <CLI/App.hpp>
#include <memory>
#include <optional>
#include <string>

#include <cbir/eval/oxford.hpp>

#include "eval.hpp"
#include "output.hpp"
#include "source.hpp"

namespace cbir::eval {
namespace {

struct OxfordToolOptions {
  std::string groundtruth;  ///< a folder of NAME_query.txt, NAME_good.txt, NAME_ok.txt, NAME_junk.txt
  SourceOptions source;
  std::string precision = "trapezoid";
  OxfordOptions protocol;
  BoxOptions boxes;
  TrecOptions trec;
  OutputOptions output;
};

CLI::App* add_options(CLI::App& app, OxfordToolOptions& options) {
  CLI::App* oxford = app.add_subcommand("oxford", "Score against the ground truth of Oxford 5K or Paris 6K");
  oxford->footer(
      "Example:\n  cbir-eval oxford --groundtruth groundtruth oxford5k.cbir --queries queries --per-landmark");
  oxford->add_option("--groundtruth", options.groundtruth, "The folder of NAME_query.txt, NAME_good.txt and so on")
      ->type_name("DIR");
  add_source_options(*oxford, options.source);
  oxford->add_option("--ap", options.precision, "Average precision by trapezoids, as the original program, or standard")
      ->check(CLI::IsMember({"trapezoid", "standard"}))
      ->type_name("trapezoid|standard")
      ->capture_default_str();
  oxford
      ->add_option("--images", options.protocol.images,
                   "The names of the whole collection, one a line, so that missing and extra pictures are found")
      ->type_name("FILE");
  add_cutoffs(*oxford, options.protocol.cutoffs, "precision is taken");
  add_box_options(*oxford, options.boxes);
  add_trec_options(*oxford, options.trec);
  add_output_options(*oxford, options.output, "landmark");
  return oxford;
}

std::vector<std::string> all_inputs(const OxfordToolOptions& options) {
  std::vector<std::string> inputs = inputs_of(options.source);
  if (options.protocol.images) inputs.push_back(*options.protocol.images);
  return inputs;
}

ExitCode run(OxfordToolOptions options, const Program& program) {
  take_groundtruth(options.groundtruth, options.boxes);
  const OxfordTruth truth = read_oxford_truth(options.groundtruth);
  if (!options.boxes.file.empty()) {
    std::vector<QueryBox> boxes;
    for (const OxfordQuery& query : truth.queries) boxes.push_back(query.box);
    write_boxes(std::move(boxes), options.boxes, all_inputs(options), options.output.force);
    return ExitCode::ok;
  }
  OxfordOptions protocol = options.protocol;
  protocol.precision = options.precision == "standard" ? AveragePrecision::standard : AveragePrecision::trapezoid;
  const auto judge = [&](const Rankings& rankings, const DetailOptions& details, const EvaluationProgress& progress) {
    protocol.details = details;
    return evaluate_oxford(truth, rankings, protocol, progress);
  };
  return judge_rankings(options.source, options.trec, options.output, all_inputs(options), program, judge);
}

}  // namespace

Command add_oxford(Program& program) {
  const auto options = std::make_shared<OxfordToolOptions>();
  return {add_options(program.app(), *options), [options, &program] { return run(*options, program); }};
}

}  // namespace cbir::eval
