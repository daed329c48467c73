#pragma once
/// A page of rankings or groups of pictures, which is written as it grows.

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <cbir/base/file.hpp>
#include <cbir/cli/html.hpp>

#include "page_parts.hpp"
#include "page_pictures.hpp"

namespace cbir {

class PicturePage {
 public:
  PicturePage(OutputFile& out, const ThumbnailOptions& thumbnails) : out_(out), pictures_(thumbnails) {}

  /// Terms of the head and their values, which are HTML.
  using Facts = std::vector<std::pair<std::string_view, std::string>>;

  /// Everything up to <main>. `subject` is for the window's title; `first` names what the page lists, whose first one
  /// is the element `anchor`.
  void begin(std::string_view heading, const std::string& subject, const Facts& facts, std::string_view first,
             std::string_view anchor);
  /// Everything from </main> on. `totals` and `keys` (what the keyboard does) are HTML.
  void finish(const std::string& totals, std::string_view keys);

  void write(std::string_view html) { out_.write(html); }

  std::string below_root(const std::string& path) { return pictures_.below_root(path); }

  /// Makes the thumbnails of pictures that the page does not hold yet, in parallel.
  void prepare(const std::vector<std::string>& files) { pictures_.add(files); }
  /// A picture, prepared before. Where it is first shown it is inlined; from then on it is referred to.
  void write_picture(const std::string& file, const std::string& alt,
                     const std::optional<PagePictures::Part>& part = {}) {
    out_.write(pictures_.html(file, alt, part));
  }
  /// The picture itself, for a drawing of one's own.
  std::string picture_svg(const std::string& file) { return pictures_.svg(file); }
  std::pair<int, int> picture_size(const std::string& file) const { return pictures_.size(file); }
  /// Forgets what was prepared and not shown.
  void drop_unshown() { pictures_.drop_unshown(); }
  /// A text in the place of a picture. `heading` is its id as a heading; empty: it is none.
  void write_words(const std::string& text, const std::string& heading) { out_.write(words_html(text, heading)); }

 private:
  OutputFile& out_;
  PagePictures pictures_;
};

}  // namespace cbir
