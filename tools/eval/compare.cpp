/// cbir-eval compare: two files of scores, query by query.

#include <CLI/App.hpp>
#include <memory>
#include <optional>
#include <string>

#include <cbir/base/error.hpp>
#include <cbir/base/file.hpp>
#include <cbir/base/log.hpp>
#include <cbir/base/parallel.hpp>
#include <cbir/eval/compare.hpp>

#include "eval.hpp"
#include "output.hpp"

namespace cbir::eval {
namespace {

struct CompareOptions {
  std::string a, b;                    ///< files of --save; "-": standard input
  std::size_t moved = 0;               ///< how many of the queries that moved most are shown
  std::optional<std::string> measure;  ///< by which they moved; default: the first
  BootstrapOptions bootstrap;
  std::size_t threads = 0;  ///< 0: all processors
  bool json = false;
  std::string html;  ///< a page to look at; empty: none
  PageOptions page;
  bool force = false;
};

CLI::App* add_options(CLI::App& app, CompareOptions& options) {
  CLI::App* compare =
      app.add_subcommand("compare", "Say whether a change helped: two evaluations, paired query by query");
  compare->footer(
      "Example:\n  cbir-eval compare before.jsonl after.jsonl --moved 10\n  cbir-eval compare before.jsonl after.jsonl "
      "--html changes.html");
  compare->add_option("A", options.a, "Scores that another sub-command wrote with --save; -: standard input")
      ->required();
  compare->add_option("B", options.b, "The same after the change")->required();
  compare->add_option("--moved", options.moved, "Show the N queries that moved most, too")
      ->check(whole_number(1))
      ->type_name("N");
  compare
      ->add_option("--measure", options.measure,
                   "By which --moved and --html say they moved [the first that both have]")
      ->type_name("NAME");
  compare->add_option("--resamples", options.bootstrap.resamples, "For intervals, and for p-values that are not exact")
      ->check(whole_number(100, 10'000'000))
      ->type_name("N")
      ->capture_default_str();
  compare->add_option("--seed", options.bootstrap.seed, "Of the random numbers")
      ->check(whole_number())
      ->type_name("N")
      ->capture_default_str();
  compare->add_flag("--json", options.json, "One JSON object instead of tables");
  CLI::Option* html = compare->add_option("--html", options.html, "Write a page to look at, too; -: standard output")
                          ->type_name("FILE.html");
  add_page_options(*compare, options.page, html);
  compare->add_flag("--force", options.force, "Replace an existing page")->needs(html);
  add_threads(*compare, options.threads);
  return compare;
}

ExitCode run(const CompareOptions& options) {
  if (options.a == "-" && options.b == "-") throw UsageError("only one of the two can be read from standard input");
  if (options.measure && options.moved == 0 && options.html.empty())
    throw UsageError("--measure is about what --moved and --html show; give one of them, too");
  check_output(options.html, options.force, {options.a, options.b});
  const ThreadLimit limit(options.threads);
  const ComparisonOptions plan{.name_a = options.a, .name_b = options.b, .bootstrap = options.bootstrap};
  const Scores a = read_scores(options.a), b = read_scores(options.b);
  const Comparison comparison = compare_scores(a, b, plan);
  const std::string measure = options.measure.value_or(comparison.measures.front().measure);
  std::optional<Moves> moves;
  if (options.moved > 0) moves = most_moved(a, b, comparison, measure, options.moved);
  for (const std::string& remark : remarks(comparison, plan)) log(LogLevel::warning, remark);
  if (!options.html.empty()) {
    OutputFile page(options.html, options.force);
    write_comparison_page(page, a, b, comparison, measure, plan, report_options(options.page, options.bootstrap));
    page.commit();
  }
  const Moves* shown = moves ? &*moves : nullptr;
  if (options.html != "-") write_file("-", options.json ? to_json(comparison, shown) : to_tsv(comparison, shown), true);
  return comparison.only_a.empty() && comparison.only_b.empty() ? ExitCode::ok : ExitCode::skipped;
}

}  // namespace

Command add_compare(Program& program) {
  const auto options = std::make_shared<CompareOptions>();
  return {add_options(program.app(), *options), [options] { return run(*options); }};
}

}  // namespace cbir::eval
