/// cbir-eval cutoff: the score down to which results are to be believed.

#include <CLI/App.hpp>
#include <memory>
#include <optional>
#include <string>

#include <cbir/base/file.hpp>
#include <cbir/base/log.hpp>
#include <cbir/base/parallel.hpp>
#include <cbir/eval/cutoff.hpp>

#include "eval.hpp"

namespace cbir::eval {
namespace {

struct CutoffOptions {
  CutoffRequest request;
  std::optional<std::string> metric;  ///< default: the database's own
  bool store = false;                 ///< in the index
  bool json = false;                  ///< one object instead of TSV
  std::size_t threads = 0;            ///< 0: all processors
};

CLI::App* add_options(CLI::App& app, CutoffOptions& options) {
  CLI::App* cutoff =
      app.add_subcommand("cutoff", "Find the score from which results are right, with a wanted precision");
  cutoff->footer(
      "Examples:\n  cbir-eval cutoff photos.cbir --precision .95 --store && cbir-query photos.cbir new.jpg --min-score "
      "auto\n  cbir-eval cutoff photos.cbir --precision .9 --queries copies.json --manifest copies/manifest.tsv");
  CutoffRequest& request = options.request;
  cutoff->add_option("DATABASE", request.database, "An index or an embedding set; each row queries all the others")
      ->type_name("X.cbir|SET")
      ->required();
  cutoff->add_option("--precision", request.precision, "Wanted share of right pairs among those that score enough")
      ->type_name("P")
      ->required();
  CLI::Option* queries =
      cutoff->add_option("--queries", request.queries, "Query with the rows of this set or index instead")
          ->type_name("SET");
  CLI::Option* manifest = cutoff->add_option(
      "--manifest", request.manifest, "Right are a copy and its original, as cbir-doctor's manifest.tsv has them");
  manifest->needs(queries);
  cutoff->add_option("--labels", request.labels, "TSV of path and label, instead of the labels that the rows carry")
      ->excludes(manifest);
  cutoff->add_option("--metric", options.metric, "cosine, dot or l2, instead of the set's own");
  cutoff->add_flag("--allow-mismatch", request.allow_mismatch, "Compare vectors of different encoders");
  cutoff->add_flag("--store", options.store, "Store it in the index, for cbir-query --min-score auto");
  cutoff->add_flag("--json", options.json, "One JSON object instead of TSV");
  add_threads(*cutoff, options.threads);
  return cutoff;
}

ExitCode run(const CutoffOptions& options, const Program& program) {
  CutoffRequest request = options.request;
  if (options.metric) request.metric = parse_metric(*options.metric);
  if (options.store && !request.database.ends_with(".cbir"))
    throw UsageError("--store stores in an index, X.cbir; a set has no place for it");
  std::optional<CutoffStore> store;
  if (options.store) store.emplace(request.database);  // which says at once if it cannot be
  const ThreadLimit limit(options.threads);
  std::optional<ProgressLine> line;
  const CutoffReport report = find_cutoff(request, [&](std::uint64_t done, std::uint64_t queries) {
    if (!line) line.emplace("queries", queries, program.shows_progress());
    line->update(done);
  });
  line.reset();
  for (const std::string& remark : report.remarks) log(LogLevel::warning, remark);
  if (store) store->store({.score = report.score, .precision = request.precision, .recall = report.recall});
  write_file("-", options.json ? to_json(report) : to_tsv(report), true);
  return ExitCode::ok;
}

}  // namespace

Command add_cutoff(Program& program) {
  const auto options = std::make_shared<CutoffOptions>();
  return {add_options(program.app(), *options), [options, &program] { return run(*options, program); }};
}

}  // namespace cbir::eval
