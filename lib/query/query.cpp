#include <cbir/query/query.hpp>

#include <fmt/format.h>

#include <algorithm>

#include <cbir/base/error.hpp>
#include <cbir/base/file.hpp>
#include <cbir/base/log.hpp>
#include <cbir/base/parallel.hpp>
#include <cbir/base/text.hpp>

#include "rank.hpp"

namespace cbir {
namespace {

constexpr std::size_t kBlockBytes = 8 << 20;  // of query vectors that are searched together
constexpr std::size_t kBlockHits = 1 << 20;   // that they may yield
constexpr std::size_t kBlockQueries = 1024;
constexpr std::size_t kNamedRows = 5;  // in a message

std::size_t block_size(const Index& index, std::size_t k) {
  const std::size_t by_bytes = kBlockBytes / (index.dim() * sizeof(float));
  const std::size_t by_hits = kBlockHits / std::max<std::size_t>(1, k);
  return std::clamp<std::size_t>(std::min(by_bytes, by_hits), 1, kBlockQueries);
}

void check_fingerprints(const Index& index, const EmbeddingSet& vectors) {
  const std::string& ours = index.info().fingerprint;
  if (!vectors.manifest() || vectors.manifest()->fingerprint.empty() || ours.empty()) return;
  const Manifest& manifest = *vectors.manifest();
  if (!manifest.augmentation.empty() && manifest.augmentation != index.info().augmentation)
    throw Incompatible(
        fmt::format("{}: its rows are averages with their neighbours, and those of {} are not, or with "
                    "others; query with what they were made of, or insist with --allow-mismatch",
                    display_path(vectors.name()), display_path(index.path())));
  if (manifest.fingerprint == ours) return;
  throw Incompatible(
      fmt::format("{}: vectors of encoder {} ({:.12}...), but {} holds those of {} ({:.12}...); their scores "
                  "mean nothing. Extract the queries with the index's encoder, or insist with --allow-mismatch",
                  display_path(vectors.name()), manifest.encoder, manifest.fingerprint, display_path(index.path()),
                  index.info().encoder, ours));
}

/// A row whose path ends as `path` does: what the user may have meant.
std::string similar_path(const Index& index, const std::string& path) {
  const std::string name = base_name(path);
  for (std::uint64_t i = 0; i < index.size(); ++i) {
    const std::string candidate = index.row(i).path;
    if (base_name(candidate) == name) return candidate;
  }
  return {};
}

}  // namespace

std::string PathPrefix::apply(std::string path) const {
  if (from.empty() || !path.starts_with(from)) return path;
  return to + path.substr(from.size());
}

std::string PathPrefix::undo(std::string path) const { return PathPrefix{to, from}.apply(std::move(path)); }

QueryReport& QueryReport::operator+=(const QueryReport& other) {
  queries += other.queries;
  results += other.results;
  failed += other.failed;
  empty += other.empty;
  counts += other.counts;
  if (other.best_left_out) best_left_out = std::max(*other.best_left_out, best_left_out.value_or(*other.best_left_out));
  return *this;
}

QueryReport query_vectors(const Index& index, const EmbeddingSet& vectors, bool allow_mismatch,
                          const QueryOptions& options, const RankingSink& sink) {
  if (!allow_mismatch) check_fingerprints(index, vectors);
  if (vectors.dim() != index.dim())
    throw Incompatible(fmt::format("{}: vectors of {} dimensions, but {} holds {}", display_path(vectors.name()),
                                   vectors.dim(), display_path(index.path()), index.dim()));
  if (vectors.rows() == 0)
    throw MissingInput(fmt::format("{}: has no rows to search for", display_path(vectors.name())));
  Ranker ranker(index, options, sink);
  const std::size_t block = block_size(index, options.k);
  std::vector<float> queries(std::min(block, vectors.rows()) * index.dim());
  for (std::size_t first = 0; first < vectors.rows(); first += block) {
    const std::size_t count = std::min(block, vectors.rows() - first);
    vectors.matrix().read(first, count, queries.data());
    std::vector<Asker> askers;
    for (std::size_t i = 0; i < count; ++i) {
      const float* row = queries.data() + i * index.dim();
      if (index.info().metric == Metric::cosine && std::all_of(row, row + index.dim(), [](float x) { return x == 0; }))
        throw Incompatible(fmt::format("{}: row {} is all zeros and has no direction to compare by cosine",
                                       display_path(vectors.name()), first + i));
      askers.push_back({.name = std::to_string(first + i)});
    }
    ranker.rank({queries.data(), count, index.dim()}, askers);
  }
  return ranker.report();
}

QueryReport query_rows(const Index& index, std::span<const std::uint64_t> positions, const QueryOptions& options,
                       const RankingSink& sink) {
  Ranker ranker(index, options, sink);
  const std::size_t block = block_size(index, options.k);
  for (std::size_t first = 0; first < positions.size(); first += block) {
    const std::size_t count = std::min(block, positions.size() - first);
    std::vector<float> queries(count * index.dim());
    std::vector<Asker> askers;
    for (std::size_t i = 0; i < count; ++i) {
      const std::uint64_t position = positions[first + i];
      std::ranges::copy(index.vector(position), queries.begin() + static_cast<std::ptrdiff_t>(i * index.dim()));
      RowInfo row = index.row(position);
      const std::string path = row.text ? row.path : options.prefix.apply(std::move(row.path));
      askers.push_back({.name = path,
                        .picture = row.text              ? ""
                                   : row.picture.empty() ? path
                                                         : options.prefix.apply(std::move(row.picture)),
                        .row = index.id(position),
                        .label = std::move(row.label),
                        .text = row.text});
    }
    ranker.rank({queries.data(), count, index.dim()}, askers);
  }
  return ranker.report();
}

std::uint64_t position_of_id(const Index& index, std::uint64_t id) {
  if (const auto position = index.position_of(id)) return *position;
  if (index.size() == 0) throw MissingInput(fmt::format("{}: no row is left in it", display_path(index.path())));
  throw MissingInput(fmt::format("{}: no row has the id {}; its {} have ids from {} to {}", display_path(index.path()),
                                 id, counted(index.size(), "row"), index.id(0), index.id(index.size() - 1)));
}

std::uint64_t position_of_path(const Index& index, const std::string& path) {
  const std::vector<std::uint64_t> found = index.find_path(path);
  if (found.size() == 1) return found.front();
  if (found.empty()) {
    const std::string other = similar_path(index, path);
    throw MissingInput(fmt::format("{}: no row has the path {}{}", display_path(index.path()), display_path(path),
                                   other.empty() ? "" : fmt::format("; there is {}", display_path(other))));
  }
  std::string ids;
  for (std::size_t i = 0; i < std::min(found.size(), kNamedRows); ++i)
    ids += fmt::format("{}{}", i == 0 ? "" : ", ", index.id(found[i]));
  throw Incompatible(fmt::format("{}: {} rows have the path {}; choose one with --row: {}{}",
                                 display_path(index.path()), found.size(), display_path(path), ids,
                                 found.size() > kNamedRows ? ", ..." : ""));
}

EncoderChoice choose_query_encoder(const Index& index, const EncoderRequest& request, bool allow_mismatch) {
  const IndexInfo& info = index.info();
  if (request.model.empty() && info.preset.empty())
    throw Incompatible(
        fmt::format("{}: the index names no encoder, so pictures and texts cannot be compared with it; if you "
                    "know which one made its vectors, name it with --model, or query with --vectors",
                    display_path(index.path())));
  const Preset preset = request.model.empty()
                            ? parse_preset(info.preset, fmt::format("{}: preset", display_path(index.path())))
                            : load_preset(request.model);
  if (request.reads_text) {
    try {
      check_text_tower(preset);
    } catch (const Incompatible& error) {
      throw Incompatible(fmt::format("{}: {}; its pictures must be extracted with that to be found by text",
                                     display_path(index.path()), error.what()));
    }
  }
  EncoderChoice choice = choose_encoder(changed(preset, request.changes), request.weights, request.options);
  if (!info.fingerprint.empty() && choice.fingerprint != info.fingerprint) {
    const std::string what =
        fmt::format("{}: made by encoder {} ({:.12}...), but the encoder here is {} ({:.12}...)",
                    display_path(index.path()), info.encoder, info.fingerprint, preset.name, choice.fingerprint);
    if (!allow_mismatch)
      throw Incompatible(what + "; use the weights that the index was made with, or insist with --allow-mismatch");
    log(LogLevel::warning, what);
  }
  return choice;
}

}  // namespace cbir
