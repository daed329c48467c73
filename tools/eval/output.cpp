#include "output.hpp"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <memory>
#include <optional>

#include <cbir/base/file.hpp>
#include <cbir/base/log.hpp>
#include <cbir/base/text.hpp>
#include <cbir/store/set.hpp>

namespace cbir::eval {
namespace {

/// The files that are wanted.
std::vector<std::string> files_of(const OutputOptions& options) {
  std::vector<std::string> files{options.per_query, options.save, options.html};
  std::erase(files, "");
  return files;
}

/// Pipes and devices are written through, and must not be opened before there is something to write.
bool is_special(const std::string& path) {
  struct stat status {};
  return path == "-" || (stat(path.c_str(), &status) == 0 && !S_ISREG(status.st_mode) && !S_ISDIR(status.st_mode));
}

}  // namespace

void add_output_options(CLI::App& app, OutputOptions& options, const std::string& group_kind) {
  if (!group_kind.empty())
    app.add_flag("--per-" + group_kind, options.groups, fmt::format("Scores of each {} too", group_kind));
  app.add_flag("--json", options.json, "One JSON object instead of TSV");
  CLI::Option* intervals =
      app.add_flag("--intervals", options.intervals, "With each mean the interval that it lies in with 95 %");
  app.add_option("--resamples", options.bootstrap.resamples, "Of the queries, for intervals")
      ->check(whole_number(100, 10'000'000))
      ->type_name("N")
      ->needs(intervals)
      ->capture_default_str();
  app.add_option("--seed", options.bootstrap.seed, "Of the random numbers, for intervals")
      ->check(whole_number())
      ->type_name("N")
      ->needs(intervals)
      ->capture_default_str();
  app.add_option("--per-query", options.per_query,
                 "Write the measures of each query as a table, too; -: standard output")
      ->type_name("FILE.tsv");
  app.add_option("--save", options.save,
                 "Write all that was found, too, for `cbir-eval compare` and `report`; -: standard output")
      ->type_name("FILE.jsonl");
  CLI::Option* html = app.add_option("--html", options.html, "Write a page to look at, too; -: standard output")
                          ->type_name("FILE.html");
  add_page_options(app, options.page, html);
  app.add_option("--top", options.top, "Items of each ranking that --save and --html keep")
      ->check(whole_number(0, 1'000'000))
      ->type_name("N")
      ->default_str(fmt::format("{}", kTop));
  app.add_flag("--force", options.force, "Replace existing files");
}

void add_page_options(CLI::App& app, PageOptions& options, CLI::Option* html) {
  CLI::Option* root =
      app.add_option("--root", options.root, "Where the pictures lie now: put before their paths on the page")
          ->type_name("DIR");
  CLI::Option* shown =
      app.add_option("--shown", options.shown,
                     "Rankings on the page: of the N worst queries, and of N / 4 of the best; or of the N "
                     "that moved most")
          ->check(whole_number(0, 100'000))
          ->type_name("N")
          ->capture_default_str();
  if (!html) return;
  root->needs(html);
  shown->needs(html);
}

ReportOptions report_options(const PageOptions& options, const BootstrapOptions& bootstrap) {
  ReportOptions report{.shown = options.shown, .bootstrap = bootstrap};
  report.thumbnails.root = options.root;
  return report;
}

DetailOptions details_of(const OutputOptions& options) {
  if (options.save.empty() && options.html.empty()) return {};
  return {.top = options.top.value_or(kTop), .curves = true};
}

void add_improvement_options(CLI::App& app, Improvements& options, CLI::Option* needs) {
  CLI::Option* center = app.add_flag("--center", options.center, "Subtract the mean of the database first");
  CLI::Option* whiten =
      app.add_option("--whiten", options.whiten, "Whiten vectors by what cbir-index whiten learned")->type_name("FILE");
  CLI::Option* expand = app.add_option("--expand", options.expand, "Expand each query by the K rows nearest to it")
                            ->check(whole_number(1, 10'000))
                            ->type_name("K");
  CLI::Option* alpha =
      app.add_option("--expand-alpha", options.expand_alpha, "Those rows weigh their similarity to this power")
          ->check(CLI::Range(0., 100.))
          ->type_name("A")
          ->capture_default_str()
          ->needs(expand);
  for (CLI::Option* option : {center, whiten, expand, alpha}) {
    option->group(kBetterRankings);
    if (needs) option->needs(needs);
  }
}

EvaluationProgress show_progress(const Program& program) {
  const auto line = std::make_shared<std::optional<ProgressLine>>();
  return [line, &program](std::uint64_t done, std::uint64_t queries) {
    if (!*line) line->emplace("queries", queries, program.shows_progress());
    (*line)->update(done);
    if (done == queries) line->reset();
  };
}

std::vector<std::string> files_of_collection(const std::string& name) {
  if (name.ends_with(".cbir")) return {name};
  const SetPaths paths = set_paths(name);
  return {paths.npy, paths.rows, paths.manifest, paths.failed};
}

void check_output(const std::string& file, bool force, const std::vector<std::string>& inputs) {
  if (file.empty()) return;
  refuse_to_replace(file, inputs);
  if (!is_special(file)) const OutputFile would_fail_now(file, force);
}

void check_outputs(const OutputOptions& options, const std::vector<std::string>& inputs) {
  if (options.top && options.save.empty() && options.html.empty())
    throw UsageError("--top is about what --save and --html keep; give one of them, too");
  const std::vector<std::string> files = files_of(options);
  for (auto file = files.begin(); file != files.end(); ++file) {
    if (std::find(files.begin(), file, *file) != file)
      throw UsageError(fmt::format("{}: is the name of two outputs; give each its own", display_path(*file)));
    check_output(*file, options.force, inputs);
  }
}

ExitCode deliver(const Scores& scores, const OutputOptions& options) {
  for (const std::string& remark : scores.remarks) log(LogLevel::warning, remark);
  std::optional<std::vector<Interval>> intervals;
  if (options.intervals) intervals = bootstrap_intervals(scores, options.bootstrap);

  if (!options.per_query.empty()) write_file(options.per_query, per_query_tsv(scores), options.force);
  if (!options.save.empty()) write_file(options.save, to_json_lines(scores), options.force);
  if (!options.html.empty()) {
    OutputFile page(options.html, options.force);
    write_report(page, scores, report_options(options.page, options.bootstrap));
    page.commit();
  }

  if (std::ranges::count(files_of(options), "-") == 0) {
    const ScoreTextOptions text{.groups = options.groups, .intervals = intervals ? &*intervals : nullptr};
    write_file("-", options.json ? to_json(scores, text) : to_tsv(scores, text), true);
  }
  const auto missing = std::ranges::find(scores.counts, "queries_missing", &Count::name);
  return missing != scores.counts.end() && missing->value > 0 ? ExitCode::skipped : ExitCode::ok;
}

}  // namespace cbir::eval
