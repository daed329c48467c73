#pragma once
/// Writers of what cbir-catalog found: lines, and a page.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <cbir/base/file.hpp>
#include <cbir/catalog/catalog.hpp>
#include <cbir/catalog/identify.hpp>
#include <cbir/catalog/watch.hpp>
#include <cbir/image/image.hpp>

namespace cbir {

/// `item<TAB>pictures<TAB>keypoints`, or an object of these.
std::string item_line(const CatalogItem& item, bool json);

/// A finding: `path<TAB>time<TAB>item<TAB>x1<TAB>y1<TAB>x2<TAB>y2<TAB>score<TAB>inliers<TAB>similarity`. Time is in
/// seconds with three decimals, or "-" in a picture; corners have one decimal; similarity is "-" where embeddings were
/// not looked at; path and item are escaped by tsv_escape().
std::string finding_tsv(const std::string& path, std::optional<double> time, const ItemFinding& finding);

/// The same as an object: path, time (unless a picture), frame (likewise), item, picture (of the item), box, score,
/// inliers, matches, similarity (if there is one), transform.
std::string finding_json(const std::string& path, std::optional<double> time, std::uint64_t frame,
                         const ItemFinding& finding);

/// An appearance:
/// `path<TAB>item<TAB>from<TAB>to<TAB>frames<TAB>best<TAB>x1<TAB>y1<TAB>x2<TAB>y2<TAB>score<TAB>inliers`.
std::string appearance_tsv(const std::string& path, const Appearance& appearance);

/// The same as an object: path, item, from, to, frames, best (an object as of finding_json()).
std::string appearance_json(const std::string& path, const Appearance& appearance);

/// A page that shows where items were found: pictures, and of videos the best frame of each appearance.
class FindingsPage {
 public:
  struct Facts {
    std::string catalog;
    std::string encoder;
    std::string features;  ///< empty: keypoints are not looked at
    std::uint64_t items = 0, pictures = 0;
    double threshold = 0;
  };

  FindingsPage(OutputFile& out, const Facts& facts);
  ~FindingsPage();

  /// A picture and what was found in it.
  void add(const std::string& path, const Image& picture, const std::vector<ItemFinding>& findings);
  /// A frame that was looked at, of a video whose appearances come later.
  void add_frame(const VideoFrame& frame, const std::vector<ItemFinding>& findings);
  /// The video that the frames were of.
  void add_video(const std::string& path, const WatchReport& report);
  void finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// What the page says of a catalogue, and of how it is searched.
FindingsPage::Facts facts_of(const Catalog& catalog, const IdentifyOptions& options);

}  // namespace cbir
