#include <cbir/extract/extract.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include <cbir/base/error.hpp>
#include <cbir/base/file.hpp>
#include <cbir/base/hash.hpp>
#include <cbir/base/log.hpp>
#include <cbir/base/parallel.hpp>
#include <cbir/base/text.hpp>
#include <cbir/base/workspaces.hpp>
#include <cbir/encoder/fetch.hpp>

#include "batch.hpp"
#include "in_order.hpp"
#include "input.hpp"
#include "memory_plan.hpp"
#include "run.hpp"
#include "state.hpp"

namespace cbir {
namespace {

/// What the result depends on besides the files; differences are shown by these names.
Arguments arguments_of(const Listing& listing, const EncoderChoice& encoder, const ExtractOptions& options,
                       const Labels& labels) {
  Arguments out = {{"version", "1"},
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
  if (options.regions) {
    out.emplace_back("regions", options.regions->finder.identity);
    out.emplace_back("whole", to_string(options.regions->whole));
  }
  return out;
}

/// Runs the batches from the state's position to the end of the list.
void run_batches(const BatchContext& context, std::size_t threads, State& state, const ExtractProgress& progress) {
  const std::size_t total = context.listing.files.size(), batch = context.options.batch;
  const auto start = static_cast<std::size_t>(state.counts().items);
  const auto first_of = [=](std::size_t n) { return start + n * batch; };
  std::size_t advised = start;
  WorkspacePool<BatchBuffers> rooms([] { return std::make_unique<BatchBuffers>(); });
  run_in_order<BatchOutput>({
      .threads = threads,
      .begin =
          [&](std::size_t n) {
            if (first_of(n) >= total || wants_stop(context.options)) return false;
            for (; advised < std::min(total, first_of(n + results_at_once(threads) + 1)); ++advised) {
              const ListedFile& file = context.listing.files[advised];
              const bool kept = context.reuse && context.reuse->kept(advised);
              if (file.problem.empty() && !kept) read_ahead(file.path);
            }
            return true;
          },
      .make =
          [&](std::size_t n, BatchOutput& output) {
            const std::size_t first = first_of(n);
            if (state.take_kept(first, std::min(batch, total - first), &context.listing, output)) return;
            rooms.with([&](BatchBuffers& buffers) {
              (context.detector ? process_regions : process_batch)(context, first, buffers, output);
            });
            state.keep(first, output);
          },
      .hand_on = [&](BatchOutput& output) { record(output, state, context.options, total, progress); },
  });
}

/// The same in as much memory as there is.
void run_within_memory(const BatchContext& context, State& state, const ExtractProgress& progress) {
  const MemoryPlan plan = plan_memory(context.encoder, context.detector, context.options, worker_threads());
  MemoryBudget memory(plan.pictures);
  ExtractOptions options = context.options;
  options.decode.memory = &memory;
  run_batches({context.listing, options, context.encoder, context.labels, context.reuse, context.detector},
              plan.threads, state, progress);
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
  std::uint64_t size = 0;
  const std::string digest = [&] {
    if (weights_file) {
      const MappedFile file(path);
      size = file.bytes().size();
      return sha256(file.bytes());
    }
    const auto source = open_source(preset, preset.weights);
    size = source.file.bytes().size();
    return source.sha256;
  }();
  std::string print = fingerprint(preset, digest);
  auto open = [preset, weights_file, options, path, print] {
    auto encoder = open_encoder(preset, weights_file, options);
    if (encoder->fingerprint() != print)
      throw Incompatible(fmt::format("{}: the weights were changed while being read", display_path(path)));
    return encoder;
  };
  return {.preset = preset,
          .fingerprint = std::move(print),
          .options = options,
          .open = std::move(open),
          .weights_bytes = size};
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
  if (listing.files.empty() && !listing.shard) throw MissingInput("the list of pictures is empty");
  const Labels labels(options.label, listing.files);
  return make_set(arguments_of(listing, choice, options, labels), {listing, &listing}, choice, options,
                  [&](const Encoder& encoder, State& state, const Reuse* reuse) {
                    std::unique_ptr<Detector> detector;
                    if (options.regions)
                      within_memory("loading the detector", [&] { detector = options.regions->finder.open(); });
                    run_within_memory({listing, options, encoder, labels, reuse, detector.get()}, state, progress);
                  });
}

}  // namespace cbir
