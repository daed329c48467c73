/// cbir-eval text: retrieval across texts and pictures.

#include <CLI/App.hpp>
#include <algorithm>
#include <iterator>
#include <memory>
#include <optional>
#include <string>

#include <cbir/base/parallel.hpp>
#include <cbir/eval/text_retrieval.hpp>

#include "eval.hpp"
#include "output.hpp"
#include "source.hpp"

namespace cbir::eval {
namespace {

struct TextOptions {
  TextRetrieval plan;
  std::optional<std::string> metric;  ///< default: the sets' own
  std::size_t threads = 0;            ///< 0: all processors
  OutputOptions output;
};

CLI::App* add_options(CLI::App& app, TextOptions& options) {
  CLI::App* text = app.add_subcommand("text", "Score text-to-image and image-to-text retrieval");
  text->footer("Example:\n  cbir-eval text captions photos --pairs captions.tsv");
  text->add_option("TEXTS", options.plan.texts, "A set or an index of texts")->required();
  text->add_option("IMAGES", options.plan.images, "A set or an index of pictures, of the same encoder")->required();
  text->add_option("--pairs", options.plan.pairs, "TSV of a picture's path and its text; else equal labels make pairs")
      ->type_name("FILE.tsv");
  text->add_option("--metric", options.metric, "cosine, dot or l2, instead of the sets' own");
  text->add_flag("--allow-mismatch", options.plan.allow_mismatch, "Compare vectors of different encoders");
  add_cutoffs(*text, options.plan.cutoffs, "a hit is looked for");
  add_output_options(*text, options.output, "");
  add_threads(*text, options.threads);
  return text;
}

ExitCode run(const TextOptions& options, const Program& program) {
  TextRetrieval plan = options.plan;
  if (options.metric) plan.metric = parse_metric(*options.metric);
  plan.details = details_of(options.output);
  std::vector<std::string> inputs = files_of_collection(plan.texts);
  std::ranges::copy(files_of_collection(plan.images), std::back_inserter(inputs));
  if (plan.pairs) inputs.push_back(*plan.pairs);
  check_outputs(options.output, inputs);
  const ThreadLimit limit(options.threads);
  return deliver(evaluate_text_retrieval(plan, show_progress(program)), options.output);
}

}  // namespace

Command add_text(Program& program) {
  const auto options = std::make_shared<TextOptions>();
  return {add_options(program.app(), *options), [options, &program] { return run(*options, program); }};
}

}  // namespace cbir::eval
