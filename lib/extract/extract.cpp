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
#include "state.hpp"

namespace cbir {
namespace {

void validate(const ExtractOptions& options) {
  constexpr std::size_t kMaxBatch = 4096;
  if (options.batch == 0 || options.batch > kMaxBatch)
    throw UsageError(fmt::format("found a batch of {}, expected 1 to {}", options.batch, kMaxBatch));
  if (options.output == "-") throw UsageError("a set is several files, which do not fit standard output; give a name");
  if (options.output.empty() || options.output.ends_with('/'))
    throw UsageError(fmt::format("'{}': the name of a set expected, not a folder", display_path(options.output)));
}

/// Digest of the list: paths, and what was wrong with them at listing.
std::string digest_of(const Listing& listing) {
  Xxh3Hasher hasher;
  for (const ListedFile& file : listing.files) {
    hasher.update(as_bytes(std::string_view(file.path.c_str(), file.path.size() + 1)));  // with its NUL
    hasher.update(as_bytes(std::string_view(file.problem.c_str(), file.problem.size() + 1)));
  }
  return hex(hasher.digest());
}

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

bool exceeds(const FailureLimit& limit, std::uint64_t failed, std::size_t total) {
  return (limit.count && failed > *limit.count) ||
         (limit.fraction && static_cast<double>(failed) > *limit.fraction * static_cast<double>(total));
}

[[noreturn]] void too_many_failures(const State& state, std::size_t total) {
  const auto first = state.first_failure();
  const std::string example =
      first ? fmt::format(", the first {}: {}: {}", display_path(first->path), first->stage, first->reason) : "";
  const std::string what = state.counts().failed == total
                               ? fmt::format("all {} failed", counted(total, "item"))
                               : fmt::format("{} of {} failed, more than --max-failures allows", state.counts().failed,
                                             counted(total, "item"));
  throw MissingInput(fmt::format("{}{}; they are listed in {}", what, example, display_path(state.part_path(kFailed))));
}

Manifest manifest_of(const EncoderChoice& choice, const Encoder& encoder, const ExtractOptions& options) {
  Manifest manifest;
  manifest.dim = encoder.dim();
  manifest.dtype = options.dtype;
  manifest.metric = choice.preset.metric;
  manifest.normalization = choice.preset.normalization;
  manifest.encoder = choice.preset.name;
  manifest.fingerprint = choice.fingerprint;
  manifest.precision = encoder.precision();
  manifest.device = encoder.device();
  manifest.preset = choice.preset.json;
  return manifest;
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
  const auto sink = [&](BatchOutput* output) {
    state.append(*output);
    if (exceeds(context.options.max_failures, state.counts().failed, total)) too_many_failures(state, total);
    if (progress) progress(state.counts().items, state.counts().failed);
  };
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
  const MappedFile file = weights_file ? MappedFile(path) : open_source(preset, preset.weights);
  std::string print = fingerprint(preset, sha256(file.bytes()));
  auto open = [preset, weights_file, options, path, print] {
    auto encoder = open_encoder(preset, weights_file, options);
    if (encoder->fingerprint() != print)
      throw Incompatible(fmt::format("{}: the weights were changed while being read", display_path(path)));
    return encoder;
  };
  return {.preset = preset, .fingerprint = std::move(print), .options = options, .open = std::move(open)};
}

EncoderChoice choose_encoder(const EncoderRequest& request) {
  return choose_encoder(changed(load_preset(request.model), request.changes), request.weights, request.options);
}

ExtractReport extract(const Listing& listing, const EncoderChoice& choice, const ExtractOptions& options,
                      const ExtractProgress& progress) {
  validate(options);
  if (listing.files.empty()) throw MissingInput("the list of pictures is empty");
  const Labels labels(options.label, listing.files);
  const Arguments arguments = arguments_of(listing, choice, options, labels);

  State state(options.output);
  ExtractReport report;
  const bool resumes = !options.force && state.is_unfinished();
  if (!options.force && !resumes && state.is_finished(arguments, listing)) {
    const Manifest manifest = parse_manifest(read_text(state.paths().manifest), state.paths().manifest);
    report.rows = manifest.rows;
    report.failed = manifest.failed;
    report.nothing_to_do = true;
  } else {
    const std::unique_ptr<Encoder> encoder = choice.open();
    if (resumes) {
      state.resume(arguments, listing);
      log(LogLevel::info,
          fmt::format("going on after {} of {}", state.counts().items, counted(listing.files.size(), "item")));
    } else {
      state.start(arguments, options.force);
    }
    report.resumed = state.counts().items;
    if (exceeds(options.max_failures, state.counts().failed, listing.files.size()))
      too_many_failures(state, listing.files.size());
    run_pipeline({listing, options, *encoder, labels}, state, progress);
    if (state.counts().rows == 0) too_many_failures(state, listing.files.size());
    state.publish(manifest_of(choice, *encoder, options));
    report.rows = state.counts().rows;
    report.failed = state.counts().failed;
  }
  report.first_failure = state.first_failure();
  return report;
}

}  // namespace cbir
