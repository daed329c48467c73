#pragma once
/// What all sub-commands have in common: where scores go, and as what.

#include <CLI/App.hpp>
#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include <cbir/base/error.hpp>
#include <cbir/cli/program.hpp>
#include <cbir/cli/report.hpp>
#include <cbir/eval/collection.hpp>
#include <cbir/eval/scores.hpp>

namespace cbir::eval {

/// What a page shows, beside the page itself.
struct PageOptions {
  std::string root;        ///< put before the paths of pictures; empty: paths as they are
  std::size_t shown = 20;  ///< queries whose rankings are shown
};

/// Of options, in --help.
inline constexpr const char* kBetterRankings = "Better rankings";

inline constexpr std::size_t kTop = 20;

struct OutputOptions {
  bool json = false;               ///< one object instead of TSV
  bool groups = false;             ///< means of each group too
  bool intervals = false;          ///< beside every mean
  BootstrapOptions bootstrap;      ///< how these are found
  std::string per_query;           ///< a TSV with the measures of each query; empty: none
  std::string save;                ///< all there is, for `cbir-eval compare`; empty: nowhere
  std::string html;                ///< a page to look at; empty: none
  PageOptions page;                ///< how that is made
  std::optional<std::size_t> top;  ///< items of each ranking that are kept, for both of these; default: kTop
  bool force = false;              ///< replace files
};

/// `group_kind`: what a group is, for --per-GROUP_KIND; empty if there are none, or they are always printed.
void add_output_options(CLI::App& app, OutputOptions& options, const std::string& group_kind);

/// --root and --shown; `html` is the option that they need, or null.
void add_page_options(CLI::App& app, PageOptions& options, CLI::Option* html);
ReportOptions report_options(const PageOptions& options, const BootstrapOptions& bootstrap);

/// What an evaluation has to keep for these.
DetailOptions details_of(const OutputOptions& options);

/// Files that an index or a set of this name may be made of, for check_outputs.
std::vector<std::string> files_of_collection(const std::string& name);

/// For a call before the work: throws UsageError if an output is one of the inputs or two of them are one,
/// OutputError if a file is there already or cannot be made.
void check_outputs(const OutputOptions& options, const std::vector<std::string>& inputs);

/// The same for one output of a sub-command that has no more; "" is none.
void check_output(const std::string& file, bool force, const std::vector<std::string>& inputs);

/// --center, --whiten, --expand and --expand-alpha; `needs`: the option that they go with, or null.
void add_improvement_options(CLI::App& app, Improvements& options, CLI::Option* needs = nullptr);

/// Shows queries that are done.
EvaluationProgress show_progress(const Program& program);

/// Remarks to standard error, files, then scores to standard output, unless a file is "-" and so goes there.
/// Returns 3 if queries were missing.
ExitCode deliver(const Scores& scores, const OutputOptions& options);

}  // namespace cbir::eval
