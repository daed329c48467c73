#include <cbir/query/verifier.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <mutex>

#include <cbir/base/error.hpp>
#include <cbir/base/file.hpp>
#include <cbir/base/parallel.hpp>
#include <cbir/base/text.hpp>
#include <cbir/image/resize.hpp>
#include <cbir/local/pairs.hpp>

namespace cbir {
namespace {

constexpr const char* kDefaultFeatures = "sift";

std::string below(const std::string& root, const std::string& path) {
  if (root.empty()) return path;
  return root + (root.ends_with('/') || path.starts_with('/') ? "" : "/") + path;
}

/// The file of features that is meant, or lies where it is looked for; empty: none.
std::string stored_path(const Index& index, const VerifierOptions& options) {
  if (options.features.ends_with(".local")) return options.features;
  const std::string beside = local_path(index.path());
  return exists(beside) ? beside : "";
}

std::optional<PixelBox> box_of(const RowInfo& row) {
  if (!row.box) return {};
  const RowBox& box = *row.box;
  return PixelBox{box[0], box[1], box[2], box[3]};
}

}  // namespace

/// The features of one picture, or of the part of it that a row was made of.
struct Verifier::Picture {
  std::shared_ptr<const LocalFeatures> features;  ///< none if it could not be read
  RowBox box = {};                                ///< where the part lies in the picture; of the whole zeros
  std::array<int, 2> size = {};                   ///< of the whole picture
};

struct Verifier::Failures {
  std::mutex mutex;
  std::size_t count = 0;
  std::string first;

  void add(const std::string& problem) {
    const std::scoped_lock lock(mutex);
    if (count++ == 0) first = problem;
  }
};

Verifier::Verifier(const Index& index, const VerifierOptions& options)
    : index_(index), options_(options), failures_(std::make_unique<Failures>()) {
  const bool named = !options.features.empty() && !options.features.ends_with(".local");
  if (const std::string path = stored_path(index, options); !path.empty()) {
    stored_.emplace(LocalFile::open(path));
    const LocalFileInfo& info = stored_->info();
    extractor_ = open_local_extractor({.features = named ? options.features : info.kind.name,
                                       .keypoints = info.keypoints,
                                       .max_side = info.max_side});
    if (info.kind.name != extractor_->kind().name) stored_.reset();  // others were asked for
  }
  if (stored_ && stored_->info().kind != extractor_->kind())
    throw Incompatible(
        fmt::format("{}: features '{}' ({:.12}...), but what finds features of that name here is another "
                    "version ({:.12}...); extract them again",
                    display_path(stored_->path()), stored_->info().kind.name, stored_->info().kind.fingerprint,
                    extractor_->kind().fingerprint));
  if (!stored_) extractor_ = open_local_extractor({.features = named ? options.features : kDefaultFeatures});
  if (stored_ && index.size() > 0 && stored_->size() > 0 && !stored_->find(index.row(0).path) &&
      !stored_->find(index.row(index.size() - 1).path))
    throw Incompatible(fmt::format("{}: knows neither {} nor {}, so it does not belong to {}",
                                   display_path(stored_->path()), display_path(index.row(0).path),
                                   display_path(index.row(index.size() - 1).path), display_path(index.path())));
  matcher_ = open_local_matcher(options.matcher, extractor_->kind());
}

Verifier::~Verifier() = default;

const LocalKind& Verifier::kind() const { return extractor_->kind(); }

std::size_t Verifier::unread() const {
  const std::scoped_lock lock(failures_->mutex);
  return failures_->count;
}

std::string Verifier::first_unread() const {
  const std::scoped_lock lock(failures_->mutex);
  return failures_->first;
}

std::string Verifier::path_of(const RowInfo& row) const {
  return below(options_.root, options_.prefix.apply(row.picture_path()));
}

Verifier::Picture Verifier::row_picture(const RowInfo& row) const {
  Picture out;
  if (row.box) out.box = *row.box;
  if (stored_) {
    if (const auto found = stored_->find(row.path))
      out.features = std::make_shared<const LocalFeatures>(stored_->features(*found));
  }
  if (!out.features && !row.text) {
    PictureFeatures read = features_of_file(path_of(row), *extractor_, options_.decode, box_of(row));
    if (!read.features) failures_->add(read.problem);
    out.features = std::move(read.features);
  }
  if (out.features) out.size = {row.width.value_or(out.features->width), row.height.value_or(out.features->height)};
  return out;
}

Verifier::Picture Verifier::query_picture(const Ranking& ranking) const {
  if (ranking.row) return row_picture(index_.row(*index_.position_of(*ranking.row)));
  if (ranking.picture.empty())
    throw UsageError(
        fmt::format("query {}: has no picture whose keypoints could be compared", display_path(ranking.query)));
  PictureFeatures read = features_of_file(ranking.picture, *extractor_, options_.decode);
  if (!read.features) {
    failures_->add(read.problem);
    return {};
  }
  return {.features = read.features, .size = {read.features->width, read.features->height}};
}

std::shared_ptr<const LocalFeatures> Verifier::mirrored_query(const Ranking& ranking) const {
  if (!options_.mirror) return nullptr;
  PictureFeatures read;
  if (ranking.row) {
    const RowInfo row = index_.row(*index_.position_of(*ranking.row));
    if (row.text) return nullptr;
    read = features_of_file(path_of(row), *extractor_, options_.decode, box_of(row), Side::mirrored);
  } else {
    read = features_of_file(ranking.picture, *extractor_, options_.decode, {}, Side::mirrored);
  }
  if (!read.features) failures_->add(read.problem);
  return read.features;
}

RankedProof Verifier::prove(const Picture& query, const std::shared_ptr<const LocalFeatures>& mirrored,
                            const RankedRow& row) const {
  RankedProof proof{.similarity = row.score};
  if (!query.features) return proof;
  const Picture picture = row_picture(index_.row(*index_.position_of(row.id)));
  if (!picture.features) return proof;
  const LocalFeatures& b = *picture.features;
  const FeatureComparison compared = compare_features(query.features, mirrored, b, *matcher_, options_.verify);
  const std::vector<LocalMatch>& matches = compared.matches;
  const Verification& found = compared.verification;
  proof.score = found.score;
  proof.verified = found.verified();
  proof.inliers = found.inliers.size();
  proof.flat = options_.verify.model != GeometricModel::fundamental;
  proof.query_size = query.size;
  proof.size = picture.size;
  const auto left = static_cast<float>(picture.box[0]), top = static_cast<float>(picture.box[1]);
  for (const std::uint32_t i : found.inliers) {
    const Keypoint& point = b.keypoints[matches[i].b];
    proof.points.push_back({point.x + left, point.y + top});
  }
  if (found.transform)
    proof.transform = in_whole_pictures(options_.verify.model, *found.transform, {query.box[0], query.box[1]},
                                        {picture.box[0], picture.box[1]});
  return proof;
}

void Verifier::rank(Ranking& ranking) const {
  std::vector<RankedRow>& results = ranking.results;
  if (results.empty()) return;
  const Picture query = query_picture(ranking);
  const std::shared_ptr<const LocalFeatures> mirrored = mirrored_query(ranking);
  parallel_blocks(results.size(), 1, [&](std::size_t i, std::size_t) {
    results[i].proof =
        i < options_.top ? prove(query, mirrored, results[i]) : RankedProof{.similarity = results[i].score};
  });
  const float lift = std::max(1.0F, results.front().score);
  for (RankedRow& row : results)
    if (row.proof->verified) row.score = lift + static_cast<float>(row.proof->score);
  std::ranges::stable_sort(results, [](const RankedRow& a, const RankedRow& b) { return a.score > b.score; });
}

}  // namespace cbir
