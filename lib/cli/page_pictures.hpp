#pragma once
/// Pictures of a page: each is inlined where it is first shown, and referred to from then on.

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include <cbir/cli/html.hpp>

#include "thumbnail.hpp"

namespace cbir {

class PagePictures {
 public:
  explicit PagePictures(const ThumbnailOptions& options) : options_(options) {}

  /// Where a picture that a result names lies. If that is not within the root, symbolic links and ".." followed, the
  /// file is never shown: what an index says is data from strangers.
  std::string below_root(const std::string& path);

  /// Makes thumbnails of files that the page does not have yet, in parallel. A file that cannot be read is no error.
  void add(const std::vector<std::string>& files);

  /// The same of all pictures of a page at once, together in at most `bytes` of HTML: smaller ones if they would take
  /// more, and if even small ones do, none of the last.
  void add_within(const std::vector<std::string>& files, std::uint64_t bytes);

  /// A part of a picture: left, top, right, bottom, as shares of its width and height.
  using Part = std::array<double, 4>;

  /// A picture that was added, with a frame around `part`; or a box that says why there is none. `alt` is HTML.
  std::string html(const std::string& file, const std::string& alt, const std::optional<Part>& part = {});

  /// The picture as an element of SVG, in a coordinate system of its thumbnail's pixels; empty if there is none.
  std::string svg(const std::string& file);
  /// Of its thumbnail; {0, 0} if there is none.
  std::pair<int, int> size(const std::string& file) const;

  /// Forgets thumbnails that were not shown; a picture of these must not be shown later.
  void drop_unshown();

  /// Logs how many cannot be shown.
  void warn() const;

 private:
  struct Picture {
    std::size_t number = 0;
    int width = 0, height = 0;
    std::string problem;
  };

  /// Those that are new, each once, in their order.
  std::vector<std::string> fresh(const std::vector<std::string>& files) const;
  std::vector<Thumbnail> make(const std::vector<std::string>& files, int side) const;
  void keep(const std::vector<std::string>& files, std::vector<Thumbnail> made);

  ThumbnailOptions options_;
  std::unordered_set<std::string> confined_;                       ///< files that must lie within the root
  std::unordered_map<std::string, Picture> pictures_;              ///< by file
  std::unordered_map<std::string, std::vector<std::byte>> fresh_;  ///< JPEGs that are not inlined yet
  std::uint64_t unreadable_ = 0;
};

}  // namespace cbir
