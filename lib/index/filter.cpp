#include "lib/index/filter.hpp"

#include <fnmatch.h>

#include <algorithm>
#include <bit>
#include <string>

#include <cbir/base/parallel.hpp>

#include "lib/index/find_rows.hpp"

namespace cbir {
namespace {

constexpr std::size_t kRows = 64 * 64;  // that a thread looks at together: whole words

/// The path as our own writers put it, if nothing in it is escaped; else nothing, and the line is to be parsed.
std::string_view plain_path(std::string_view line) {
  constexpr std::string_view kStart = "{\"path\":\"";
  if (!line.starts_with(kStart)) return {};
  line.remove_prefix(kStart.size());
  const std::size_t end = line.find_first_of("\"\\");
  return end == std::string_view::npos || line[end] == '\\' ? std::string_view() : line.substr(0, end);
}

bool fits_any(const std::string& path, const std::vector<std::string>& globs) {
  return std::ranges::any_of(globs,
                             [&](const std::string& glob) { return fnmatch(glob.c_str(), path.c_str(), 0) == 0; });
}

std::vector<std::uint64_t> live_words(const LiveRows& live) {
  if (!live.every()) {
    const auto words = live.mask().words;
    return {words.begin(), words.end()};
  }
  std::vector<std::uint64_t> words((live.rows() + 63) / 64, ~std::uint64_t{0});
  if (live.rows() % 64 != 0) words.back() = (std::uint64_t{1} << live.rows() % 64) - 1;
  return words;
}

/// Clears the bits of rows whose path fits no glob.
void keep_fitting(const OpenedIndex& index, const Segment& segment, const std::vector<std::string>& globs,
                  std::vector<std::uint64_t>& words) {
  parallel_blocks(segment.size(), kRows, [&](std::size_t begin, std::size_t end) {
    std::string path;
    for (std::size_t row = begin; row < end; ++row) {
      const std::uint64_t bit = std::uint64_t{1} << row % 64;
      if ((words[row / 64] & bit) == 0) continue;
      const std::string_view plain = plain_path(segment.line(row));
      if (plain.empty()) path = index.parse(segment, row).path;
      else path.assign(plain);
      if (!fits_any(path, globs)) words[row / 64] &= ~bit;
    }
  });
}

}  // namespace

RowFilter::Masks filter_rows(const OpenedIndex& index, const RowCriteria& criteria) {
  RowFilter::Masks out;
  out.segments.resize(index.segments.size());
  for (std::size_t s = 0; s < index.segments.size(); ++s) {
    if (criteria.labels.empty()) out.segments[s].words = live_words(index.live[s]);
    else out.segments[s].words.resize((index.segments[s].size() + 63) / 64);
  }
  for (const std::string& label : criteria.labels)
    for (const RowPlace& place : find_label(index, label))
      out.segments[place.segment].words[place.row / 64] |= std::uint64_t{1} << place.row % 64;
  for (std::size_t s = 0; s < index.segments.size(); ++s) {
    RowFilter::Masks::OfSegment& mask = out.segments[s];
    if (!criteria.globs.empty()) keep_fitting(index, index.segments[s], criteria.globs, mask.words);
    for (const std::uint64_t word : mask.words) mask.passing += static_cast<std::size_t>(std::popcount(word));
  }
  return out;
}

}  // namespace cbir
