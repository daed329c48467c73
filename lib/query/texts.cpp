/// Texts as queries, and pictures and texts as one.

#include <fmt/format.h>

#include <algorithm>

#include <cbir/base/error.hpp>
#include <cbir/base/log.hpp>
#include <cbir/base/parallel.hpp>
#include <cbir/base/text.hpp>
#include <cbir/query/query.hpp>

#include "pictures.hpp"
#include "rank.hpp"

namespace cbir {
namespace {

constexpr std::size_t kBatch = 8;  // texts that a thread encodes together, each as if it were alone
constexpr std::size_t kGroup = 1024;

/// Encodes texts in parallel, and says in order which were cut.
void encode(const Encoder& encoder, std::span<const std::string> texts, const TextPrompts& prompts, float* out) {
  std::vector<TextLength> lengths(texts.size());
  parallel_blocks(texts.size(), kBatch, [&](std::size_t begin, std::size_t end) {
    const auto part = embed_texts(encoder, texts.subspan(begin, end - begin), prompts,
                                  {out + begin * encoder.dim(), end - begin, encoder.dim()});
    std::ranges::copy(part, lengths.begin() + static_cast<std::ptrdiff_t>(begin));
  });
  for (std::size_t i = 0; i < texts.size(); ++i)
    if (lengths[i].truncated()) log(LogLevel::warning, truncation_message(texts[i], lengths[i]));
}

std::vector<std::string> values_of(std::span<const Term> terms) {
  std::vector<std::string> values;
  for (const Term& term : terms) values.push_back(term.value);
  return values;
}

/// "photo.jpg + snow:0.5 + people:-1"
std::string name_of(const std::vector<RankedTerm>& terms) {
  std::string name;
  for (const RankedTerm& term : terms) {
    if (!name.empty()) name += " + ";
    name += term.weight == 1 ? term.value : fmt::format("{}:{}", term.value, term.weight);
  }
  return name;
}

}  // namespace

QueryReport query_texts(const Index& index, const Encoder& encoder, std::span<const std::string> texts,
                        const TextPrompts& prompts, const QueryOptions& options, const RankingSink& sink) {
  Ranker ranker(index, options, sink);
  std::vector<float> vectors(std::min(texts.size(), kGroup) * encoder.dim());
  for (std::size_t first = 0; first < texts.size(); first += kGroup) {
    const std::span<const std::string> part = texts.subspan(first, std::min(kGroup, texts.size() - first));
    encode(encoder, part, prompts, vectors.data());
    std::vector<Asker> askers;
    for (const std::string& text : part) askers.push_back({.name = text, .text = true});
    ranker.rank({vectors.data(), part.size(), encoder.dim()}, askers);
  }
  return ranker.report();
}

QueryReport query_combined(const Index& index, const Encoder& encoder, const CombinedQuery& query,
                           const ImageQueryOptions& images, const QueryOptions& options, const RankingSink& sink) {
  if (index.info().metric != Metric::cosine && encoder.preset().normalization != "l2")
    throw Incompatible(fmt::format(
        "{}: compares vectors by more than their direction, and a combination has nothing else; build an index with "
        "--metric cosine to ask with several pictures or texts at once",
        display_path(index.path())));
  const std::vector<std::string> paths = values_of(query.pictures), texts = values_of(query.texts);
  const std::size_t count = paths.size() + texts.size();
  PictureGroup group(encoder, paths.size());
  group.encode(paths, 0, images);
  for (const auto& failure : group.failures)
    if (failure)
      throw MissingInput(fmt::format("{}: cannot be asked with: {}", display_path(failure->path), failure->reason));
  std::vector<float> vectors = std::move(group.embeddings);
  vectors.resize(count * encoder.dim());
  encode(encoder, texts, query.prompts, vectors.data() + paths.size() * encoder.dim());

  std::vector<RankedTerm> terms;
  std::vector<double> weights;
  for (const std::vector<Term>* part : {&query.pictures, &query.texts})
    for (const Term& term : *part) {
      terms.push_back({.value = term.value, .text = part == &query.texts, .weight = term.weight});
      weights.push_back(term.weight);
    }
  const std::vector<float> combined = combine({vectors.data(), count, encoder.dim()}, weights);
  Ranker ranker(index, options, sink);
  std::vector<Asker> askers(1);
  askers[0].name = name_of(terms);
  askers[0].terms = std::move(terms);
  ranker.rank({combined.data(), 1, encoder.dim()}, askers);
  return ranker.report();
}

}  // namespace cbir
