#pragma once
/// Options of the sub-commands that judge rankings: which, and how they are made where they are not.

#include <CLI/App.hpp>
#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include <cbir/cli/program.hpp>
#include <cbir/eval/boxes.hpp>
#include <cbir/eval/rankings.hpp>
#include <cbir/eval/scores.hpp>

#include "output.hpp"

namespace cbir::eval {

struct SourceOptions {
  std::string rankings;                ///< a run, a set or an index
  std::optional<std::string> queries;  ///< a set or an index; default: rows of the set or index itself
  std::optional<std::string> metric;   ///< default: the set's own
  bool allow_mismatch = false;
  Improvements improve;     ///< what is done to the vectors first
  std::size_t threads = 0;  ///< 0: all processors
};

/// The positional argument RANKINGS, and --queries, --metric, --allow-mismatch, --center and its like, --threads.
void add_source_options(CLI::App& app, SourceOptions& options);

/// Files that they are read from.
std::vector<std::string> inputs_of(const SourceOptions& options);

/// -k K,K...
void add_cutoffs(CLI::App& app, std::vector<std::size_t>& cutoffs, const std::string& what);

/// --write-boxes FILE and --pictures DIR.
struct BoxOptions {
  std::string file;                     ///< empty: not wanted
  std::optional<std::string> pictures;  ///< a folder
};
void add_box_options(CLI::App& app, BoxOptions& options);
/// Without --groundtruth, --write-boxes names it, and boxes go to standard output. Throws UsageError without either.
void take_groundtruth(std::string& groundtruth, BoxOptions& options);
void write_boxes(std::vector<QueryBox> boxes, const BoxOptions& options, const std::vector<std::string>& inputs,
                 bool force);

/// --write-run FILE, --write-qrels FILE and --depth N: what was found as others read it.
struct TrecOptions {
  std::string run, qrels;    ///< empty: not wanted
  std::size_t depth = 1000;  ///< results of each query in the run
};
void add_trec_options(CLI::App& app, TrecOptions& options);

/// The scores of rankings, which keep what is wanted of them.
using Judge = std::function<Scores(const Rankings&, const DetailOptions&, const EvaluationProgress&)>;

/// What all of these sub-commands do: checks outputs before the work, opens the rankings, has them judged, and
/// delivers what was found. Throws UsageError if no rankings were named, and as check_outputs and Rankings::open do.
ExitCode judge_rankings(const SourceOptions& source, const TrecOptions& trec, const OutputOptions& output,
                        const std::vector<std::string>& inputs, const Program& program, const Judge& judge);

}  // namespace cbir::eval
