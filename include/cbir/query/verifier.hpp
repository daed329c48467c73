#pragma once
/// Results of a search proved by keypoints: which of them show the very thing that the query shows.

#include <cstddef>
#include <memory>
#include <optional>
#include <string>

#include <cbir/image/image.hpp>
#include <cbir/index/index.hpp>
#include <cbir/local/local.hpp>
#include <cbir/local/local_file.hpp>
#include <cbir/query/path_prefix.hpp>
#include <cbir/query/ranking.hpp>

namespace cbir {

struct VerifierOptions {
  /// What is looked for, a name or preset of LocalOptions::features; or NAME.local, a file of features. Empty: the file
  /// beside the index, if there is one, else "sift".
  std::string features = {};
  std::size_t top = 50;  ///< results, at most, that are compared
  std::string matcher = "nn";
  VerifyOptions verify = {};
  DecodeOptions decode = {};
  bool mirror = false;    ///< results that are not verified are compared with the query's mirror image, too
  std::string root = {};  ///< put before the paths of pictures; empty: paths as they are
  PathPrefix prefix = {};
};

/// Thread-safe.
class Verifier {
 public:
  /// The index must outlive it. Throws as open_local_extractor, open_local_matcher and LocalFile::open; Incompatible if
  /// the file's features are not those that the extractor of their name finds, or not of this index.
  Verifier(const Index& index, const VerifierOptions& options);
  ~Verifier();

  std::size_t top() const noexcept { return options_.top; }

  /// Compares the query's picture with the first top() results, and orders them: those that are verified first, by the
  /// score of the proof, the others by similarity, as before. The score of a verified result becomes that of the proof
  /// plus 1 (under the metric dot plus the highest similarity, if that is more), so that scores descend. Results get
  /// their `proof`, all of them. A picture that cannot be read proves nothing, and is counted. Throws DamagedFile for a
  /// damaged file of features, and UsageError for a query without a picture.
  void rank(Ranking& ranking) const;

  /// Pictures of results that could not be looked at so far, and the first of them with the reason.
  std::size_t unread() const;
  std::string first_unread() const;

  /// The file of features in use, if there is one.
  const std::optional<LocalFile>& stored() const noexcept { return stored_; }
  const LocalKind& kind() const;

 private:
  struct Picture;
  struct Failures;

  Picture query_picture(const Ranking& ranking) const;
  /// Of the same picture, mirrored; none if that is not asked for.
  std::shared_ptr<const LocalFeatures> mirrored_query(const Ranking& ranking) const;
  Picture row_picture(const RowInfo& row) const;
  std::string path_of(const RowInfo& row) const;
  RankedProof prove(const Picture& query, const std::shared_ptr<const LocalFeatures>& mirrored,
                    const RankedRow& row) const;

  const Index& index_;
  VerifierOptions options_;
  std::optional<LocalFile> stored_;
  std::unique_ptr<LocalExtractor> extractor_;
  std::unique_ptr<LocalMatcher> matcher_;
  std::unique_ptr<Failures> failures_;
};

}  // namespace cbir
