#include "run.hpp"

#include <fmt/format.h>

#include <span>

#include <cbir/base/error.hpp>
#include <cbir/base/file.hpp>
#include <cbir/base/hash.hpp>
#include <cbir/base/log.hpp>
#include <cbir/base/text.hpp>
#include <cbir/store/npy_pair.hpp>

#include "memory_plan.hpp"
#include "update.hpp"

namespace cbir {
namespace {

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

}  // namespace

Manifest manifest_of(const EncoderChoice& choice, const Encoder& encoder, const ExtractOptions& options,
                     const Listing& listing) {
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
  manifest.shards = listing.shard;
  return manifest;
}

ItemRows item_rows(const ExtractOptions& options) { return options.regions ? ItemRows::regions : ItemRows::one; }

std::string arithmetic_of(const Encoder& encoder) {
  return fmt::format("{} on {}", encoder.precision(), encoder.device());
}

void check_failures(const State& state, const ExtractOptions& options, std::size_t total) {
  if (exceeds(options.max_failures, state.counts().failed, total)) too_many_failures(state, total);
}

void check_rows(const State& state, const Listing& listing) {
  if (state.counts().rows == 0 && state.counts().failed == 0 && !listing.files.empty() && !listing.shard)
    throw MissingInput(fmt::format("no region was found in {}, and whole pictures are not wanted",
                                   counted(listing.files.size(), "picture")));
  if (state.counts().rows == 0 && !listing.shard) too_many_failures(state, listing.files.size());
}

void validate(const ExtractOptions& options) {
  if (options.regions && options.update && options.regions->whole == WholePicture::never)
    throw UsageError(
        "a set of regions without whole pictures cannot be updated: of a picture without regions it has no row to know "
        "it by");
  constexpr std::size_t kMaxBatch = 4096;
  if (options.batch == 0 || options.batch > kMaxBatch)
    throw UsageError(fmt::format("found a batch of {}, expected 1 to {}", options.batch, kMaxBatch));
  if (options.output == "-") throw UsageError("a set is several files, which do not fit standard output; give a name");
  if (options.output.empty() || options.output.ends_with('/'))
    throw UsageError(fmt::format("'{}': the name of a set expected, not a folder", display_path(options.output)));
}

std::string digest_of(const Listing& listing) {
  Xxh3Hasher hasher;
  for (const ListedFile& file : listing.files) {
    hasher.update(as_bytes(std::string_view(file.path.c_str(), file.path.size() + 1)));  // with its NUL
    hasher.update(as_bytes(std::string_view(file.problem.c_str(), file.problem.size() + 1)));
    if (file.id.empty() && !file.box) continue;
    hasher.update(as_bytes(std::string_view(file.id.c_str(), file.id.size() + 1)));
    const Box box = file.box.value_or(Box{});
    for (const double corner : {box.x1, box.y1, box.x2, box.y2}) hasher.update(std::as_bytes(std::span(&corner, 1)));
  }
  if (listing.shard) hasher.update(as_bytes(fmt::format("{} of {}", listing.shard->list, listing.shard->of)));
  return hex(hasher.digest());
}

namespace {

ExtractReport make_new_set(const Arguments& arguments, const Items& items, const EncoderChoice& choice,
                           const ExtractOptions& options, const EncodeItems& encode) {
  const std::size_t total = items.listing.files.size();
  State state(options.output);
  ExtractReport report;
  const bool resumes = !options.force && state.is_unfinished();
  if (!options.force && !resumes && state.is_finished(arguments, items.files)) {
    const Manifest manifest = parse_manifest(read_text(state.paths().manifest), state.paths().manifest);
    report.rows = manifest.rows;
    report.failed = manifest.failed;
    report.nothing_to_do = true;
    state.tidy();
  } else {
    if (options.npy_pair && !options.force) refuse_npy_pair(options.output);
    const std::unique_ptr<Encoder> encoder = open_within_memory(choice);
    if (resumes) {
      state.resume(arguments, arithmetic_of(*encoder), items.files);
      log(LogLevel::info, fmt::format("going on after {} of {}", state.counts().items, counted(total, "item")));
    } else {
      state.drop_earlier();
      state.start(arguments, arithmetic_of(*encoder), options.force);
    }
    report.resumed = state.counts().items;
    check_failures(state, options, total);
    encode(*encoder, state, nullptr);
    report.resumed += state.kept();
    report.done = state.counts().items;
    report.rows = state.counts().rows;
    report.failed = state.counts().failed;
    report.encoded = state.encoded();
    report.stopped = report.done < total;
    if (!report.stopped) {
      check_rows(state, items.listing);
      state.publish(manifest_of(choice, *encoder, options, items.listing));
    }
  }
  report.first_failure = state.first_failure();
  return report;
}

}  // namespace

ExtractReport make_set(const Arguments& arguments, const Items& items, const EncoderChoice& choice,
                       const ExtractOptions& options, const EncodeItems& encode) {
  ExtractReport report = options.update ? update_set(arguments, *items.files, choice, options, encode)
                                        : make_new_set(arguments, items, choice, options, encode);
  if (options.npy_pair && !report.stopped) write_npy_pair(options.output, options.force || options.update);
  return report;
}

bool wants_stop(const ExtractOptions& options) { return options.stop && options.stop(); }

void record(const BatchOutput& batch, State& state, const ExtractOptions& options, std::size_t total,
            const ExtractProgress& progress) {
  state.append(batch);
  check_failures(state, options, total);
  if (progress) progress(state.counts().items, state.counts().failed);
}

}  // namespace cbir
