#pragma once
/// Requests into rankings: vectors, rows of the index, pictures or texts against an index. Rankings are handed on as
/// they come, in the order of the requests; memory does not grow with their number.

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <cbir/encoder/encoder.hpp>
#include <cbir/extract/extract.hpp>
#include <cbir/extract/texts.hpp>
#include <cbir/image/image.hpp>
#include <cbir/index/index.hpp>
#include <cbir/query/ranking.hpp>
#include <cbir/query/terms.hpp>
#include <cbir/query/verifier.hpp>
#include <cbir/rerank/improved_search.hpp>
#include <cbir/store/rows.hpp>
#include <cbir/store/set.hpp>

namespace cbir {

struct QueryOptions {
  std::size_t k = 10;                    ///< results a query, at most
  std::optional<double> min_score = {};  ///< results below it are left out
  bool exclude_self = false;             ///< leave a row that asks out of its own ranking (query_rows)
  PathPrefix prefix = {};
  SearchEffort effort = {};                  ///< how far to look
  const RowFilter* filter = nullptr;         ///< of this index: rows that may be found; none: all
  const ImprovedSearch* improved = nullptr;  ///< of this index; none: vectors are compared as they are
  /// Of this index: ranks results by keypoints, before `k` and `min_score` cut them; none: by vectors alone.
  const Verifier* verifier = nullptr;
};

struct QueryReport {
  std::uint64_t queries = 0;  ///< answered
  std::uint64_t results = 0;
  std::uint64_t failed = 0;            ///< pictures that could not be read
  std::uint64_t empty = 0;             ///< queries with nothing at or above min_score
  SearchCounts counts = {};            ///< what the searches did
  std::optional<float> best_left_out;  ///< the highest score below min_score of a query that is empty

  QueryReport& operator+=(const QueryReport& other);
};

using RankingSink = std::function<void(const Ranking&)>;
using FailureSink = std::function<void(const FailedItem&)>;

/// Every row of `vectors` asks, in order; its ranking is named by its number. If both sides name an encoder's
/// fingerprint, they must agree, unless `allow_mismatch`. Throws Incompatible (also for another dimension) and
/// DamagedFile for a row that holds a NaN, an infinity or (under cosine) only zeros.
QueryReport query_vectors(const Index& index, const EmbeddingSet& vectors, bool allow_mismatch,
                          const QueryOptions& options, const RankingSink& sink);

/// Rows of the index, by position, ask; a ranking is named by its row's path.
QueryReport query_rows(const Index& index, std::span<const std::uint64_t> positions, const QueryOptions& options,
                       const RankingSink& sink);

/// The position of an id. Throws MissingInput.
std::uint64_t position_of_id(const Index& index, std::uint64_t id);

/// The position of the one row with this path. Throws MissingInput (naming a row whose path ends alike, if there is
/// one) and Incompatible if several rows have it, naming their ids.
std::uint64_t position_of_path(const Index& index, const std::string& path);

struct ImageQueryOptions {
  DecodeOptions decode = {};
  std::size_t batch = 4;  ///< pictures that go through the network together: slots by position in the list
  bool required = true;   ///< that none can be read is an error
};

/// Pictures ask; a ranking is named by its picture's path. One that cannot be read is handed to `failed` and skipped.
/// Throws MissingInput if none can be read and `required`, and as Index::search does.
QueryReport query_images(const Index& index, const Encoder& encoder, const std::vector<std::string>& paths,
                         const ImageQueryOptions& images, const QueryOptions& options, const RankingSink& sink,
                         const FailureSink& failed);

/// Texts ask, put into the prompts as embed_texts() does; a ranking is named by its text. A warning says which were
/// cut. Throws as embed_texts() and Index::search.
QueryReport query_texts(const Index& index, const Encoder& encoder, std::span<const std::string> texts,
                        const TextPrompts& prompts, const QueryOptions& options, const RankingSink& sink);

/// Pictures and texts that ask together.
struct CombinedQuery {
  std::vector<Term> pictures, texts;
  TextPrompts prompts = {};  ///< of the texts
};

/// One ranking for combine() of all terms' vectors, named by them. Throws as query_texts() and combine(), MissingInput
/// if a picture cannot be read, and Incompatible if index and encoder compare by more than direction.
QueryReport query_combined(const Index& index, const Encoder& encoder, const CombinedQuery& query,
                           const ImageQueryOptions& images, const QueryOptions& options, const RankingSink& sink);

/// The encoder for pictures and texts that are asked of this index: the one that the index names if request.model is
/// empty. Throws Incompatible if the index names none either, if it must read texts and does not, or if the
/// fingerprints differ, unless `allow_mismatch`.
EncoderChoice choose_query_encoder(const Index& index, const EncoderRequest& request, bool allow_mismatch);

}  // namespace cbir
