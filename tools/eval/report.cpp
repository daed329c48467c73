/// cbir-eval report: a page of what another sub-command saved.

#include <CLI/App.hpp>
#include <memory>
#include <string>
#include <vector>

#include <cbir/base/file.hpp>
#include <cbir/base/parallel.hpp>

#include "eval.hpp"
#include "output.hpp"

namespace cbir::eval {
namespace {

struct ReportToolOptions {
  std::string scores;  ///< a file of --save; "-": standard input
  std::string output = "-";
  PageOptions page;
  std::vector<std::string> queries;  ///< whose rankings are shown in any case
  BootstrapOptions bootstrap;
  std::size_t threads = 0;  ///< 0: all processors
  bool force = false;
};

CLI::App* add_options(CLI::App& app, ReportToolOptions& options) {
  CLI::App* report = app.add_subcommand("report", "A page to look at, of scores that were saved");
  report->footer("Example:\n  cbir-eval report scores.jsonl -o report.html");
  report->add_option("SCORES", options.scores, "Scores that another sub-command wrote with --save; -: standard input")
      ->required();
  report->add_option("-o,--output", options.output, "The page; -: standard output")
      ->type_name("FILE.html")
      ->capture_default_str();
  add_page_options(*report, options.page, nullptr);
  report->add_option("--query", options.queries, "Show the ranking of this query before the others; can be repeated")
      ->allow_extra_args(false)
      ->type_name("NAME");
  report->add_option("--resamples", options.bootstrap.resamples, "Of the queries, for intervals")
      ->check(whole_number(100, 10'000'000))
      ->type_name("N")
      ->capture_default_str();
  report->add_option("--seed", options.bootstrap.seed, "Of the random numbers, for intervals")
      ->check(whole_number())
      ->type_name("N")
      ->capture_default_str();
  report->add_flag("--force", options.force, "Replace an existing file");
  add_threads(*report, options.threads);
  return report;
}

ExitCode run(const ReportToolOptions& options) {
  check_output(options.output, options.force, {options.scores});
  const ThreadLimit limit(options.threads);
  const Scores scores = read_scores(options.scores);
  ReportOptions plan = report_options(options.page, options.bootstrap);
  plan.queries = options.queries;
  OutputFile page(options.output, options.force);
  write_report(page, scores, plan);
  page.commit();
  return ExitCode::ok;
}

}  // namespace

Command add_report(Program& program) {
  const auto options = std::make_shared<ReportToolOptions>();
  return {add_options(program.app(), *options), [options] { return run(*options); }};
}

}  // namespace cbir::eval
