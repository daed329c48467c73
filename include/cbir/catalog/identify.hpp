#pragma once
/// Which items of a catalogue a picture shows, and where.
///
/// Candidates come from two sides. Parts of the picture where something may be, and the picture as a whole, are
/// embedded, and the pictures of items that resemble one of them most are candidates. And the keypoints of the picture
/// vote for the items that have keypoints like them. Of each candidate the local features are matched with those of the
/// picture in and around the part where it is expected. Where the matches agree on a map from item to picture, the item
/// is there. Of items that claim the same place the best one is found.

#include <array>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <cbir/catalog/catalog.hpp>
#include <cbir/detect/detector.hpp>

namespace cbir {

struct IdentifyOptions {
  std::size_t crops = 16;       ///< parts of the picture that are embedded besides the whole, at most
  std::size_t candidates = 50;  ///< items that resemble these and whose keypoints are looked at, at most; 0: no crops
  std::size_t votes = 60;       ///< items that keypoints vote for and whose keypoints are looked at, at most
  bool verify = true;           ///< by keypoints; else the most similar item of each crop is found
  VerifyOptions geometry = {};
  std::optional<double> min_score = {};  ///< instead of the catalogue's threshold
};

/// An item in a picture.
struct ItemFinding {
  std::string item;
  std::string picture;                    ///< of the item, that was recognised
  Box box = {};                           ///< that it takes up in the picture
  double score = 0;                       ///< a Verification's; without verification, the similarity
  std::optional<double> similarity = {};  ///< of embeddings; none of an item that only keypoints suggested
  std::size_t inliers = 0, matches = 0;
  std::optional<std::array<double, 9>> transform = {};  ///< from the item's picture
};

/// Seconds that passed in each stage. Of stages side by side each counts whole.
struct StageSeconds {
  double crops = 0, embed = 0, search = 0, features = 0, votes = 0, verify = 0;

  StageSeconds& operator+=(const StageSeconds& other);
};

/// What an Identifier works with. `encoder` may be missing if options.candidates is 0. `proposer` may be missing: the
/// picture as a whole is looked at then. `extractor` and `matcher` may be missing if options.verify is false.
struct IdentifyParts {
  std::unique_ptr<Encoder> encoder = {};
  std::unique_ptr<Detector> proposer = {};
  std::unique_ptr<LocalExtractor> extractor = {};
  std::unique_ptr<LocalMatcher> matcher = {};
};

class KeypointVotes;

/// Thread-safe; works on all threads by itself, and its results do not depend on their number.
class Identifier {
 public:
  /// The catalogue must outlive it. Throws UsageError for parts that are missing, or if neither embeddings nor
  /// keypoints are to find candidates.
  Identifier(const Catalog& catalog, IdentifyParts parts, const IdentifyOptions& options);
  ~Identifier();

  /// Best first. Each item at most once, where it is clearest.
  std::vector<ItemFinding> identify(const Image& picture, StageSeconds* seconds = nullptr) const;

 private:
  struct Candidate;

  std::vector<Box> boxes_of(const Image& picture) const;
  std::vector<Candidate> candidates_of(const Image& picture, StageSeconds& seconds) const;
  void add_voted(const LocalFeatures& features, std::vector<Candidate>& candidates) const;
  std::vector<ItemFinding> verified(const std::vector<Candidate>& candidates, const LocalFeatures& features) const;
  std::vector<ItemFinding> by_similarity(const std::vector<Candidate>& candidates) const;

  const Catalog& catalog_;
  IdentifyParts parts_;
  IdentifyOptions options_;
  std::unique_ptr<const KeypointVotes> votes_;  ///< none if keypoints do not vote
};

/// What an identifier is opened with.
struct IdentifySetup {
  std::optional<std::string> weights = {};  ///< of the encoder, instead of the preset's own
  EncoderOptions encoder = {};
  std::size_t keypoints = 8000;  ///< of the pictures that are looked at, which hold more than an item's do
  int max_side = 1024;           ///< a longer side is made so long before keypoints are looked for
  std::string matcher = "nn";
  bool proposals = true;  ///< crops where something may be; else the picture as a whole
};

/// Throws as Catalog::open_encoder(), Catalog::open_extractor() and open_local_matcher().
std::unique_ptr<Identifier> open_identifier(const Catalog& catalog, const IdentifySetup& setup,
                                            const IdentifyOptions& options);

/// What calibration found.
struct CatalogCalibration {
  CatalogThresholds thresholds = {};
  std::size_t pictures = 0;
  double highest_score = 0, highest_similarity = 0;  ///< of pictures that show no item
  std::vector<FailedItem> failed = {};
};

/// Finds thresholds on pictures that show no item: those that false findings reach in about one of 1 / rate pictures.
/// Above the ninth tenth of what each picture's best false finding scores, scores are taken to fall off exponentially
/// (peaks over threshold: Pickands 1975, with shape 0), so that rates below one in the number of pictures can be asked
/// for. `make` returns an identifier for the options it is given. Throws UsageError for less than 20 pictures that can
/// be read or a rate outside (0, 1).
CatalogCalibration calibrate_catalog(const std::function<std::unique_ptr<Identifier>(const IdentifyOptions&)>& make,
                                     const std::vector<std::string>& pictures, double rate,
                                     const IdentifyOptions& options, const DecodeOptions& decode = {},
                                     const std::function<void(std::uint64_t done)>& progress = {});

/// The value that a share `rate` of draws exceeds, estimated from some: see calibrate_catalog().
double tail_threshold(std::vector<double> sample, double rate);

}  // namespace cbir
