/// Texts into an embedding set. They need neither reading nor decoding: a group of batches is encoded side by side, and
/// recorded before the next is begun.

#include <fmt/format.h>

#include <algorithm>

#include <cbir/base/error.hpp>
#include <cbir/base/hash.hpp>
#include <cbir/base/log.hpp>
#include <cbir/base/parallel.hpp>
#include <cbir/base/text.hpp>
#include <cbir/extract/extract.hpp>

#include "batch.hpp"
#include "run.hpp"

namespace cbir {
namespace {

constexpr std::size_t kBatch = 32;  // texts that a thread encodes together, each as if it were alone
constexpr std::size_t kBatchesAThread = 4;

struct TextContext {
  const Listing& texts;
  const TextPrompts& prompts;
  const ExtractOptions& options;
  const Encoder& encoder;
  const Labels& labels;
};

/// What a batch says besides its rows.
struct TextBatch {
  BatchOutput output;
  std::uint64_t truncated = 0;
  std::string first_truncated;  ///< message about it
};

/// Encodes one text, or says why it cannot be.
std::optional<FailedItem> encode_alone(const TextContext& context, const std::string& text, std::size_t seq,
                                       std::span<float> out, TextLength& length) {
  try {
    length = embed_texts(context.encoder, {&text, 1}, context.prompts, {out.data(), 1, out.size()}).front();
    return {};
  } catch (const ResourceLimit& limit) {  // a text that is too large
    return FailedItem{.path = text, .seq = context.texts.seq(seq), .stage = "encode", .reason = limit.what()};
  }
}

/// Items [first, first + count), into an empty batch.
void encode_batch(const TextContext& context, std::size_t first, std::size_t count, TextBatch& batch) {
  const std::size_t dim = context.encoder.dim();
  std::vector<std::optional<FailedItem>> failures(count);
  std::vector<std::string> texts;
  std::vector<std::size_t> seqs;
  for (std::size_t i = 0; i < count; ++i) {
    ListedFile text = context.texts.files[first + i];
    if (!text.problem.empty()) {
      failures[i] = FailedItem{
          .path = std::move(text.path), .seq = context.texts.seq(first + i), .stage = "read", .reason = text.problem};
      continue;
    }
    texts.push_back(std::move(text.path));
    seqs.push_back(first + i);
  }
  std::vector<float> vectors(texts.size() * dim);
  std::vector<TextLength> lengths(texts.size());
  try {
    if (!texts.empty())
      lengths = embed_texts(context.encoder, texts, context.prompts, {vectors.data(), texts.size(), dim});
  } catch (const ResourceLimit&) {
    for (std::size_t i = 0; i < texts.size(); ++i)
      failures[seqs[i] - first] = encode_alone(context, texts[i], seqs[i], {vectors.data() + i * dim, dim}, lengths[i]);
  }

  batch.output.items = count;
  std::vector<std::byte> items;
  std::size_t next = 0;  // of the texts
  for (std::size_t i = 0; i < count; ++i) {
    const bool sent = next < seqs.size() && seqs[next] == first + i;
    const std::size_t at = sent ? next++ : 0;
    if (failures[i]) {
      batch.output.parts[kFailed] += to_json_line(*failures[i]) + "\n";
      ++batch.output.failed;
      continue;
    }
    const RowInfo row{.path = texts[at],
                      .label = context.labels.of(first + i, texts[at]),
                      .text = true,
                      .seq = context.texts.seq(first + i)};
    batch.output.parts[kRows] += to_json_line(row) + "\n";
    append_items(items, {vectors.data() + at * dim, dim}, context.options.dtype);
    ++batch.output.rows;
    ++batch.output.encoded;
    if (lengths[at].truncated() && batch.truncated++ == 0)
      batch.first_truncated = truncation_message(texts[at], lengths[at]);
  }
  batch.output.parts[kVectors] = as_text(items);
}

void encode_all(const TextContext& context, State& state, const ExtractProgress& progress) {
  const std::size_t total = context.texts.files.size();
  std::vector<TextBatch> batches(kBatchesAThread * worker_threads());
  std::uint64_t truncated = 0;
  std::string first_truncated;
  for (auto next = static_cast<std::size_t>(state.counts().items); next < total && !wants_stop(context.options);) {
    const std::size_t count = std::min(batches.size() * kBatch, total - next);
    parallel_blocks(count, kBatch, [&](std::size_t begin, std::size_t end) {
      TextBatch& batch = batches[begin / kBatch];
      batch = {};
      if (state.take_kept(next + begin, end - begin, nullptr, batch.output)) return;
      encode_batch(context, next + begin, end - begin, batch);
      state.keep(next + begin, batch.output);
    });
    for (std::size_t i = 0; i * kBatch < count; ++i) {
      record(batches[i].output, state, context.options, total, progress);
      if (truncated == 0) first_truncated = batches[i].first_truncated;
      truncated += batches[i].truncated;
    }
    next += count;
  }
  if (truncated == 1) log(LogLevel::warning, first_truncated);
  if (truncated > 1)
    log(LogLevel::warning, fmt::format("{} were cut, the first: {}", counted(truncated, "text"), first_truncated));
}

Arguments arguments_of(const Listing& texts, const TextPrompts& prompts, const EncoderChoice& encoder,
                       const ExtractOptions& options, const Labels& labels) {
  Xxh3Hasher hasher;
  for (const PromptTemplate& prompt : prompts) {
    const std::string shown = prompt.apply("{}");
    hasher.update(as_bytes(std::string_view(shown.c_str(), shown.size() + 1)));  // with its NUL
  }
  return {{"version", "1"},
          {"templates", hex(hasher.digest())},
          {"model", encoder.preset.name},
          {"fingerprint", encoder.fingerprint},
          {"preset", encoder.preset.json},
          {"precision", encoder.options.precision},
          {"device", encoder.options.device},
          {"dtype", std::string(to_string(options.dtype))},
          {"labels", labels.identity()},
          {"list", digest_of(texts)}};
}

}  // namespace

ExtractReport extract_texts(const Listing& texts, const TextPrompts& prompts, const EncoderChoice& choice,
                            const ExtractOptions& options, const ExtractProgress& progress) {
  validate(options);
  if (options.update) throw UsageError("texts are in no files that could be unchanged: a set of them is made anew");
  if (texts.files.empty() && !texts.shard) throw MissingInput("the list of texts is empty");
  const Labels labels(options.label, texts.files);
  return make_set(arguments_of(texts, prompts, choice, options, labels), {texts, nullptr}, choice, options,
                  [&](const Encoder& encoder, State& state, const Reuse*) {
                    encode_all({texts, prompts, options, encoder, labels}, state, progress);
                  });
}

}  // namespace cbir
