#pragma once
/// One request a line, answered at once: what keeps an index and its encoder loaded between queries.

#include <functional>
#include <memory>
#include <string_view>

#include <cbir/encoder/encoder.hpp>
#include <cbir/index/index.hpp>
#include <cbir/query/query.hpp>

namespace cbir {

struct ServerOptions {
  QueryOptions query = {};  ///< what a request does not say itself
  ImageQueryOptions images = {};
  TextPrompts prompts = {};  ///< of the texts
};

/// A line is the path of a picture, or, if it begins with '{', a JSON object of one of
///
///     "image": path    "text": string    "row": id    "path": path of a row    "vector": [numbers]
///
/// and, if wanted, "k": number of results, and "id": a string that names the query in its ranking.
class Server {
 public:
  using OpenEncoder = std::function<std::unique_ptr<Encoder>()>;

  /// The encoder is opened by the first request that needs it. The index must outlive the server.
  Server(const Index& index, OpenEncoder open_encoder, ServerOptions options);

  /// Hands the ranking on. Throws UsageError for a request that cannot be understood, MissingInput for a picture that
  /// cannot be read or a row that is not there, Incompatible for a text without text tower, and as Index::search does;
  /// the next line can be answered all the same.
  void answer(std::string_view line, const RankingSink& sink);

 private:
  const Encoder& encoder();

  const Index& index_;
  OpenEncoder open_encoder_;
  std::unique_ptr<Encoder> encoder_;
  ServerOptions options_;
};

}  // namespace cbir
