/// Pictures as queries: a group of them is decoded, encoded and searched before the next is begun.

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include <cbir/base/error.hpp>
#include <cbir/base/parallel.hpp>
#include <cbir/query/query.hpp>

#include "pictures.hpp"
#include "rank.hpp"

namespace cbir {
namespace {

constexpr std::size_t kBatchesAThread = 4;  // in a group

}  // namespace

QueryReport query_images(const Index& index, const Encoder& encoder, const std::vector<std::string>& paths,
                         const ImageQueryOptions& images, const QueryOptions& options, const RankingSink& sink,
                         const FailureSink& failed) {
  Ranker ranker(index, options, sink);
  const std::size_t size = std::min(paths.size(), images.batch * kBatchesAThread * worker_threads());
  PictureGroup group(encoder, size);
  for (std::size_t first = 0; first < paths.size(); first += size) {
    const std::span<const std::string> part = std::span(paths).subspan(first, std::min(size, paths.size() - first));
    group.encode(part, first, images);
    std::vector<Asker> askers;
    std::vector<float> queries;
    for (std::size_t i = 0; i < part.size(); ++i) {
      if (group.failures[i]) {
        ++ranker.report().failed;
        failed(*group.failures[i]);
        continue;
      }
      const auto embedding = group.embeddings.begin() + static_cast<std::ptrdiff_t>(i * encoder.dim());
      queries.insert(queries.end(), embedding, embedding + static_cast<std::ptrdiff_t>(encoder.dim()));
      askers.push_back({.name = part[i], .picture = part[i]});
    }
    if (!askers.empty()) ranker.rank({queries.data(), askers.size(), encoder.dim()}, askers);
  }
  if (ranker.report().queries == 0 && images.required)
    throw MissingInput(
        fmt::format("nothing to search for: {} could not be read",
                    paths.size() == 1 ? "the one picture asked for" : fmt::format("all {} pictures", paths.size())));
  return ranker.report();
}

}  // namespace cbir
