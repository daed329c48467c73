#include "run.hpp"

#include <fmt/format.h>

#include <cbir/base/error.hpp>
#include <cbir/base/file.hpp>
#include <cbir/base/hash.hpp>
#include <cbir/base/log.hpp>
#include <cbir/base/text.hpp>
#include <cbir/store/npy_pair.hpp>

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

}  // namespace

void validate(const ExtractOptions& options) {
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
  }
  return hex(hasher.digest());
}

ExtractReport make_set(const Arguments& arguments, const Items& items, const EncoderChoice& choice,
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
  } else {
    if (options.npy_pair && !options.force) refuse_npy_pair(options.output);
    const std::unique_ptr<Encoder> encoder = choice.open();
    const std::string arithmetic = fmt::format("{} on {}", encoder->precision(), encoder->device());
    if (resumes) {
      state.resume(arguments, arithmetic, items.files);
      log(LogLevel::info, fmt::format("going on after {} of {}", state.counts().items, counted(total, "item")));
    } else {
      state.start(arguments, arithmetic, options.force);
    }
    report.resumed = state.counts().items;
    if (exceeds(options.max_failures, state.counts().failed, total)) too_many_failures(state, total);
    encode(*encoder, state);
    if (state.counts().rows == 0) too_many_failures(state, total);
    state.publish(manifest_of(choice, *encoder, options));
    report.rows = state.counts().rows;
    report.failed = state.counts().failed;
  }
  if (options.npy_pair) write_npy_pair(options.output, options.force);
  report.first_failure = state.first_failure();
  return report;
}

void record(const BatchOutput& batch, State& state, const ExtractOptions& options, std::size_t total,
            const ExtractProgress& progress) {
  state.append(batch);
  if (exceeds(options.max_failures, state.counts().failed, total)) too_many_failures(state, total);
  if (progress) progress(state.counts().items, state.counts().failed);
}

}  // namespace cbir
