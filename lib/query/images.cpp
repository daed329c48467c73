/// Pictures as queries: a group of them is decoded, encoded and searched before the next is begun.

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include <cbir/base/error.hpp>
#include <cbir/base/parallel.hpp>
#include <cbir/extract/picture.hpp>
#include <cbir/query/query.hpp>

#include "rank.hpp"

namespace cbir {
namespace {

constexpr std::size_t kBatchesAThread = 4;  // in a group

/// Pictures [0, count) of a group, each in a slot of its own; one that failed is left empty.
struct Group {
  Group(const Encoder& encoder, std::size_t size) : inputs(size), embeddings(size * encoder.dim()), failures(size) {}

  std::vector<Image> inputs;
  std::vector<float> embeddings;
  std::vector<std::optional<FailedItem>> failures;
};

void fill(Group& group, std::span<const std::string> paths, std::size_t first, const Encoder& encoder,
          const ImageQueryOptions& images) {
  parallel_blocks(paths.size(), 1, [&](std::size_t i, std::size_t) {
    const LoadedPicture picture = load_picture(paths[i], images.decode, encoder, group.inputs[i]);
    group.failures[i].reset();
    if (picture.failure)
      group.failures[i] = FailedItem{paths[i], first + i, picture.failure->stage, picture.failure->reason};
  });
  parallel_blocks(paths.size(), images.batch, [&](std::size_t begin, std::size_t end) {
    const auto failed = [&](std::size_t i) { return group.failures[i].has_value(); };
    bool all_failed = true;
    for (std::size_t i = begin; i < end; ++i) all_failed = all_failed && failed(i);
    if (all_failed) return;
    encoder.encode(std::span(group.inputs).subspan(begin, end - begin),
                   {group.embeddings.data() + begin * encoder.dim(), end - begin, encoder.dim()});
  });
}

}  // namespace

QueryReport query_images(const Index& index, const Encoder& encoder, const std::vector<std::string>& paths,
                         const ImageQueryOptions& images, const QueryOptions& options, const RankingSink& sink,
                         const FailureSink& failed) {
  Ranker ranker(index, options, sink);
  const std::size_t size = std::min(paths.size(), images.batch * kBatchesAThread * worker_threads());
  Group group(encoder, size);
  for (std::size_t first = 0; first < paths.size(); first += size) {
    const std::span<const std::string> part = std::span(paths).subspan(first, std::min(size, paths.size() - first));
    fill(group, part, first, encoder, images);
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
  if (ranker.report().queries == 0)
    throw MissingInput(
        fmt::format("nothing to search for: {} could not be read",
                    paths.size() == 1 ? "the one picture asked for" : fmt::format("all {} pictures", paths.size())));
  return ranker.report();
}

}  // namespace cbir
