#pragma once
/// What the pages of one evaluation and of two have in common.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <cbir/eval/scores.hpp>

#include "page_parts.hpp"
#include "page_pictures.hpp"

namespace cbir {

/// What a measure of that name is, in a few words, as HTML; empty if nothing is known of it.
std::string measure_meaning(std::string_view measure);

/// "0.8205"; a dash where there is no value.
std::string value_text(double value);
/// "+0.0123"
std::string difference_text(double value);

/// Names of queries and items as HTML, without the folder that all of them have in common.
class Names {
 public:
  explicit Names(const std::vector<const Scores*>& all);

  const std::string& folder() const { return folder_; }  ///< ends with a slash, or is empty
  std::string within(const std::string& name) const;     ///< without the folder
  std::string html(const std::string& name) const { return path_html(within(name)); }

 private:
  std::string folder_;
};

/// A column of a table that the page's script can sort.
struct Column {
  std::string name;  ///< HTML
  enum class Kind : std::uint8_t {
    text,
    number,
    words,
    unsorted
  } kind = Kind::number;    ///< the last two cannot be sorted
  std::string title = {};   ///< what it means; HTML
  std::string sorted = {};  ///< "ascending" or "descending" if rows come so
};

/// From the region around the table to <tbody>. `id` names both, `caption` is what screen readers call it.
std::string begin_table(std::string_view id, std::string_view caption, const std::vector<Column>& columns,
                        std::string_view kind);
inline constexpr std::string_view kEndTable = "</tbody></table></div>\n";

/// A heading of level 2 and the section that it begins; ends with </section>.
std::string begin_section(std::string_view id, std::string_view heading);

/// The head of a report up to <main>, with links to its sections.
struct SectionLink {
  std::string id, name;
};
std::string report_head(std::string_view kicker, const std::string& title, const std::string& facts,
                        const std::vector<SectionLink>& sections);
std::string report_end(const std::string& facts);

/// Remarks as a list; nothing if there are none.
std::string remarks_html(const std::vector<std::string>& remarks);

/// The first `count` of a ranking as a row of marks: filled where relevant, a dash where junk.
std::string mark_strip(const QueryScores& query, std::size_t count);

/// The query's group as a tag; nothing if its folder says it already.
std::string group_html(const Names& names, const QueryScores& query);

/// Where the picture of a query, or of an item in its ranking, lies; empty if that is a text.
std::string query_file(PagePictures& pictures, const QueryScores& query);
std::string item_file(PagePictures& pictures, const QueryScores& query, const std::string& item);
/// The picture, or the text in its place. `what` it is, for screen readers.
std::string query_picture(PagePictures& pictures, const QueryScores& query);
std::string item_picture(PagePictures& pictures, const QueryScores& query, const std::string& item,
                         const std::string& what);

/// "relevant", "irrelevant", "junk": the class that style and script know; and as a tag that can be read.
std::string_view mark_class(Mark mark);
std::string mark_tag(Mark mark, bool missed);

/// Queries with a value of measure 0, the worst first, then those without; equal ones as they come.
std::vector<std::size_t> worst_first(const Scores& scores);

}  // namespace cbir
