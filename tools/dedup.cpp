/// cbir-dedup: groups of near-duplicates, of which one is to be kept.

#include <fmt/format.h>

#include <CLI/App.hpp>
#include <algorithm>
#include <cmath>
#include <optional>
#include <string>
#include <vector>

#include <cbir/base/log.hpp>
#include <cbir/base/parallel.hpp>
#include <cbir/base/text.hpp>
#include <cbir/cli/duplicates.hpp>
#include <cbir/cli/program.hpp>
#include <cbir/cli/ranking.hpp>
#include <cbir/dedup/dedup.hpp>
#include <cbir/store/set.hpp>

namespace {

struct Options {
  cbir::DedupOptions dedup;
  std::optional<double> threshold;    ///< default: kDuplicateCosine, under l2 none
  std::optional<std::string> metric;  ///< default: the sources' own
  std::string keep = "largest";
  std::string format = "tsv";
  std::string output = "-";
  std::string root;         ///< put before paths, for the page's thumbnails
  std::size_t threads = 0;  ///< 0: all processors
  bool nul = false;         ///< paths of duplicates alone, ended by NUL
  bool force = false;       ///< replace an existing output
};

void add_options(CLI::App& app, Options& options) {
  app.add_option("SOURCE", options.dedup.sources, "Embedding sets, or indexes (X.cbir)")->required();
  app.add_option("-t,--threshold", options.threshold,
                 fmt::format("Least score of two duplicates; under cosine {} if not given", cbir::kDuplicateCosine))
      ->type_name("T");
  app.add_option("--keep", options.keep, "Which of a group to keep")
      ->check(CLI::IsMember({"largest", "oldest", "first"}))
      ->capture_default_str();
  app.add_option("--against", options.dedup.against, "Find what is in this set or index already, instead")
      ->type_name("OTHER");
  app.add_option("--metric", options.metric, "Instead of the sources' own")->check(CLI::IsMember({"cosine", "l2"}));
  app.add_option("--format", options.format, "tsv, jsonl (an object a group), or html (a page with thumbnails)")
      ->check(CLI::IsMember({"tsv", "jsonl", "html"}))
      ->capture_default_str();
  app.add_flag("-0,--null", options.nul, "Print the paths of duplicates alone, each ended by NUL, for xargs -0");
  app.add_option("-o,--output", options.output, "File to write; -: standard output")
      ->type_name("FILE")
      ->capture_default_str();
  app.add_option("--root", options.root, "Folder that the paths of the pictures begin at, for the page")
      ->type_name("DIR");
  app.add_option("--max-pairs", options.dedup.max_pairs, "Give up with status 9 when more pairs reach the threshold")
      ->check(cbir::whole_number(1))
      ->type_name("N")
      ->capture_default_str();
  app.add_flag("--allow-mismatch", options.dedup.allow_mismatch, "Compare vectors of different encoders");
  cbir::add_threads(app, options.threads);
  app.add_flag("--force", options.force, "Replace FILE");
}

void validate(Options& options) {
  if (options.nul && options.format != "tsv")
    throw cbir::UsageError(fmt::format("-0 prints paths alone, which --format {} does not", options.format));
  if (!options.root.empty() && options.format != "html")
    throw cbir::UsageError("--root is about the thumbnails of --format html");
  if (options.threshold && !std::isfinite(*options.threshold))
    throw cbir::UsageError("--threshold: expected a finite number");
  if (options.threshold) options.dedup.threshold = static_cast<float>(*options.threshold);
  if (options.metric) options.dedup.metric = cbir::parse_metric(*options.metric);
  options.dedup.keep = cbir::parse_keep(options.keep);
}

std::vector<std::string> all_sources(const Options& options) {
  std::vector<std::string> names = options.dedup.sources;
  if (options.dedup.against) names.push_back(*options.dedup.against);
  return names;
}

/// Files that must not be replaced by the answer.
std::vector<std::string> inputs_of(const Options& options) {
  std::vector<std::string> files;
  for (const std::string& name : all_sources(options)) {
    const cbir::SetPaths paths = cbir::set_paths(name);
    files.insert(files.end(), {name, paths.npy, paths.rows, paths.manifest});
  }
  return files;
}

std::unique_ptr<cbir::DuplicatesWriter> make_writer(const Options& options, const cbir::DedupReport& report,
                                                    cbir::OutputFile& out) {
  if (options.nul) return cbir::make_duplicates_nul_writer(out);
  if (options.format == "tsv") return cbir::make_duplicates_tsv_writer(out);
  if (options.format == "jsonl") return cbir::make_duplicates_jsonl_writer(out, all_sources(options));
  std::string subject;
  for (const std::string& name : options.dedup.sources) subject += (subject.empty() ? "" : ", ") + name;
  return cbir::make_duplicates_html_writer(out,
                                           {.subject = subject,
                                            .against = options.dedup.against.value_or(""),
                                            .encoder = report.encoder,
                                            .metric = report.metric,
                                            .rows = report.rows,
                                            .groups = report.groups.size(),
                                            .duplicates = report.duplicates,
                                            .threshold = report.threshold},
                                           {.root = options.root});
}

/// What is to be said of a finished run besides its groups.
void conclude(const Options& options, const cbir::DedupReport& report) {
  using cbir::LogLevel;
  if (report.same_file > 0)
    cbir::log(LogLevel::warning,
              fmt::format("{} left out: the path of each leads to the very file of another row of its group",
                          cbir::counted(report.same_file, "row")));
  if (report.groups.empty())
    cbir::log(LogLevel::warning,
              fmt::format("no two {} score {} or more", options.dedup.against ? "rows of the two sides" : "rows",
                          report.threshold));
  else if (report.keep_unknown && !options.dedup.against)
    cbir::log(LogLevel::warning,
              fmt::format("no row says what --keep {} goes by: of each group the first is kept", options.keep));
  cbir::log(LogLevel::debug,
            fmt::format("{}; {}, {}", cbir::counted(report.pairs, "similar pair"),
                        cbir::counted(report.groups.size(), "group"), cbir::counted(report.duplicates, "duplicate")));
}

cbir::ExitCode run(Options options, const cbir::Program& program) {
  validate(options);
  const cbir::ThreadLimit limit(options.threads);
  cbir::refuse_to_replace(options.output, inputs_of(options));
  cbir::OutputFile out(options.output, options.force);
  cbir::DedupReport report;
  {
    std::optional<cbir::ProgressLine> line;
    report = cbir::find_duplicates(options.dedup, [&](std::uint64_t done, std::uint64_t pairs) {
      if (!line) line.emplace("pairs", pairs, program.shows_progress());
      line->update(done);
    });
  }
  const auto writer = make_writer(options, report, out);
  for (const cbir::DuplicateGroup& group : report.groups) writer->write(group);
  writer->finish();
  out.commit();
  conclude(options, report);
  return cbir::ExitCode::ok;
}

}  // namespace

int main(int argc, char** argv) {
  cbir::Program program({.name = "cbir-dedup",
                         .summary = "Finds near-duplicates: groups of pictures that all resemble each other.",
                         .example = "cbir-dedup photos.cbir --format html -o duplicates.html",
                         .see_also = "cbir-extract, cbir-index, cbir-query"});
  Options options;
  add_options(program.app(), options);
  return program.run(argc, argv, [&] { return run(options, program); });
}
