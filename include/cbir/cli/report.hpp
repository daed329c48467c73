#pragma once
/// Evaluations as one self-contained page: nothing is loaded from elsewhere, and it can be read without scripts.

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include <cbir/base/file.hpp>
#include <cbir/cli/html.hpp>
#include <cbir/eval/compare.hpp>
#include <cbir/eval/scores.hpp>

namespace cbir {

struct ReportOptions {
  ThumbnailOptions thumbnails = {.root = {}, .side = 160, .quality = 78, .decode = {}};
  std::size_t shown = 20;  ///< queries whose rankings are shown: the worst, and a quarter as many of the best
  std::vector<std::string> queries = {};  ///< whose rankings are shown before those: names, or their ends after a slash
  std::size_t results = 12;               ///< of each, at most; and half as many that were missed
  std::uint64_t bytes = 4'900'000;        ///< of the page: thumbnails are made smaller, tables shorter
  BootstrapOptions bootstrap = {};        ///< of the intervals
};

/// Means with intervals, curves, tables by group and by query, and rankings in pictures, by the first measure.
/// The caller commits the file. Throws OutputError, and UsageError for a name of `queries` that no query has.
void write_report(OutputFile& out, const Scores& scores, const ReportOptions& options);

/// Differences with intervals, and the queries that moved most by `measure`, `options.shown` of them with both rankings
/// side by side. The names of `names` are those of the files. Throws OutputError, and as most_moved does.
void write_comparison_page(OutputFile& out, const Scores& a, const Scores& b, const Comparison& comparison,
                           const std::string& measure, const ComparisonOptions& names, const ReportOptions& options);

}  // namespace cbir
