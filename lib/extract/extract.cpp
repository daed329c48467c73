#include <cbir/extract/extract.hpp>

#include <fmt/format.h>
#include <oneapi/tbb/enumerable_thread_specific.h>
#include <oneapi/tbb/parallel_pipeline.h>
#include <oneapi/tbb/task_arena.h>

#include <algorithm>

#include <cbir/base/error.hpp>
#include <cbir/base/file.hpp>
#include <cbir/base/hash.hpp>
#include <cbir/base/log.hpp>
#include <cbir/base/parallel.hpp>
#include <cbir/base/text.hpp>
#include <cbir/encoder/fetch.hpp>

#include "batch.hpp"
#include "input.hpp"
#include "run.hpp"
#include "state.hpp"

namespace cbir {
namespace {

/// What the result depends on besides the files; differences are shown by these names.
Arguments arguments_of(const Listing& listing, const EncoderChoice& encoder, const ExtractOptions& options,
                       const Labels& labels) {
  return {{"version", "1"},
          {"model", encoder.preset.name},
          {"fingerprint", encoder.fingerprint},
          {"preset", encoder.preset.json},
          {"batch", fmt::to_string(options.batch)},
          {"precision", encoder.options.precision},
          {"device", encoder.options.device},
          {"dtype", std::string(to_string(options.dtype))},
          {"alpha", options.decode.alpha == Alpha::white ? "white" : "drop"},
          {"max-pixels", fmt::to_string(options.decode.max_pixels)},
          {"accept-truncated", options.decode.accept_truncated ? "on" : "off"},
          {"labels", labels.identity()},
          {"list", digest_of(listing)}};
}

/// Runs the batches from the state's position to the end of the list.
void run_pipeline(const BatchContext& context, State& state, const ExtractProgress& progress) {
  const std::size_t total = context.listing.files.size(), batch = context.options.batch;
  const std::size_t threads = worker_threads();
  const std::size_t tokens = 2 * threads;  // batches in memory at once: one at work and one waiting its turn per thread
  auto next = static_cast<std::size_t>(state.counts().items);
  std::size_t advised = next;
  const auto source = [&](tbb::flow_control& control) -> std::size_t {
    if (next >= total) {
      control.stop();
      return 0;
    }
    for (; advised < std::min(total, next + (tokens + 1) * batch); ++advised) {
      const ListedFile& file = context.listing.files[advised];
      if (file.problem.empty()) read_ahead(file.path);
    }
    return std::exchange(next, next + batch);
  };
  // Results wait in slots of our own: what is in flight when a filter throws would leak out of oneTBB's. A slot is free
  // again when its turn comes, as batches leave in order and `tokens` of them are under way at most.
  std::vector<BatchOutput> slots(tokens);
  tbb::enumerable_thread_specific<BatchBuffers> buffers;
  const auto work = [&](std::size_t first) {
    BatchOutput& slot = slots[first / batch % tokens];
    process_batch(context, first, buffers.local(), slot);
    return &slot;
  };
  const auto sink = [&](BatchOutput* output) { record(*output, state, context.options, total, progress); };
  using tbb::filter_mode;
  // An arena of its own: of the size asked for, even beyond the number of processors.
  tbb::task_arena arena(static_cast<int>(threads));
  arena.execute([&] {
    tbb::parallel_pipeline(tokens, tbb::make_filter<void, std::size_t>(filter_mode::serial_in_order, source) &
                                       tbb::make_filter<std::size_t, BatchOutput*>(filter_mode::parallel, work) &
                                       tbb::make_filter<BatchOutput*, void>(filter_mode::serial_in_order, sink));
  });
}

}  // namespace

FailureLimit parse_failure_limit(const std::string& text) {
  FailureLimit limit;
  std::uint64_t count = 0;
  double percent = 0;
  if (parse_number(text, count)) {
    limit.count = count;
  } else if (text.ends_with('%') && parse_number(text.substr(0, text.size() - 1), percent) && percent >= 0 &&
             percent <= 100) {
    limit.fraction = percent / 100;
  } else {
    throw UsageError(
        fmt::format("found '{}', expected a number of failures, or a share of the list as 5%", display_path(text)));
  }
  return limit;
}

EncoderChoice choose_encoder(const Preset& preset, const std::optional<std::string>& weights_file,
                             const EncoderOptions& options) {
  const std::string path = weights_file.value_or(weights_path(preset));
  const std::string digest =
      weights_file ? sha256(MappedFile(path).bytes()) : open_source(preset, preset.weights).sha256;
  std::string print = fingerprint(preset, digest);
  auto open = [preset, weights_file, options, path, print] {
    auto encoder = open_encoder(preset, weights_file, options);
    if (encoder->fingerprint() != print)
      throw Incompatible(fmt::format("{}: the weights were changed while being read", display_path(path)));
    return encoder;
  };
  return {.preset = preset, .fingerprint = std::move(print), .options = options, .open = std::move(open)};
}

EncoderChoice choose_encoder(const EncoderRequest& request) {
  const Preset preset = changed(load_preset(request.model), request.changes);
  if (request.reads_text) check_text_tower(preset);
  return choose_encoder(preset, request.weights, request.options);
}

void check_text_tower(const Preset& preset) {
  require_text(preset);
  open_source(preset, preset.text->vocabulary);
}

ExtractReport extract(const Listing& listing, const EncoderChoice& choice, const ExtractOptions& options,
                      const ExtractProgress& progress) {
  validate(options);
  if (listing.files.empty()) throw MissingInput("the list of pictures is empty");
  const Labels labels(options.label, listing.files);
  return make_set(arguments_of(listing, choice, options, labels), {listing, &listing}, choice, options,
                  [&](const Encoder& encoder, State& state) {
                    run_pipeline({listing, options, encoder, labels}, state, progress);
                  });
}

}  // namespace cbir
