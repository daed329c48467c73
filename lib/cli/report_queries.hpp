#pragma once
/// Queries whose rankings a page shows, in pictures.

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include <cbir/cli/report.hpp>

#include "report_parts.hpp"

namespace cbir {

/// Positions in Scores::queries.
struct ShownQueries {
  std::vector<std::size_t> wanted;       ///< in the order in which they were named
  std::vector<std::size_t> worst, best;  ///< the worst first; the best first; none that is wanted

  bool empty() const { return wanted.empty() && worst.empty() && best.empty(); }
  std::vector<std::size_t> all() const;
  /// What links go to, of the n-th of all().
  static std::string anchor(std::size_t n) { return "q" + std::to_string(n + 1); }
};

/// Of `order`, which is worst_first(). Throws UsageError for a query that is wanted and not there.
ShownQueries choose_shown(const Scores& scores, const std::vector<std::size_t>& order, const ReportOptions& options);

/// All sections. `bytes`: of HTML, in which thumbnails have to fit.
std::string shown_html(const Scores& scores, const ShownQueries& shown, const Names& names, PagePictures& pictures,
                       const ReportOptions& options, std::uint64_t bytes);

/// What HTML about an item of this name takes at most, but for its thumbnail.
std::uint64_t item_bytes(const std::string& name);

}  // namespace cbir
