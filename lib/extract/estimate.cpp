#include <cbir/extract/estimate.hpp>

#include <fmt/format.h>
#include <sys/resource.h>
#include <sys/statvfs.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <cstring>

#include <cbir/base/error.hpp>
#include <cbir/base/file.hpp>
#include <cbir/base/parallel.hpp>
#include <cbir/base/text.hpp>
#include <cbir/extract/regions.hpp>
#include <cbir/image/decoder_processes.hpp>

#include "batch.hpp"
#include "input.hpp"
#include "run.hpp"

namespace cbir {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::uint64_t kJournalRecord = 128;  // a batch
constexpr std::uint64_t kSmallFiles = 64 << 10;

std::uint64_t size_of(const std::string& path) { return stamp_of(path).size; }

/// What a row's line takes, and what reading it would take, by what is known of its file now.
struct Sizes {
  std::uint64_t line = 0, file = 0, label = 0;
};

Sizes sizes_of(const Listing& listing, const Labels& labels, std::size_t number, bool regions) {
  const ListedFile listed = listing.files[number];
  const Stamp stamp = stamp_of(listed.path);
  constexpr int kWide = 9999;
  const bool part = regions || listed.box;
  const RowInfo row{.path = regions ? region_name(listed.name(), 1) : listed.name(),
                    .label = labels.of(number, listed.path),
                    .picture = listed.id.empty() && !regions ? "" : listed.path,
                    .box = part ? std::optional(RowBox{kWide, kWide, kWide, kWide}) : std::nullopt,
                    .seq = listing.seq(number),
                    .bytes = stamp.size,
                    .mtime = stamp.mtime,
                    .width = kWide,
                    .height = kWide,
                    .xxh3 = std::string(32, '0')};
  return {.line = to_json_line(row).size() + 1, .file = stamp.size, .label = row.label ? row.label->size() : 0};
}

/// Of all files.
struct Total {
  std::uint64_t lines = 0, files = 0, longest_label = 0;
};

Total add_up(const Listing& listing, const Labels& labels, bool regions) {
  std::atomic<std::uint64_t> lines = 0, files = 0, longest = 0;
  parallel_blocks(listing.files.size(), 256, [&](std::size_t begin, std::size_t end) {
    Total part;
    for (std::size_t i = begin; i < end; ++i) {
      const Sizes sizes = sizes_of(listing, labels, i, regions);
      part.lines += sizes.line;
      part.files += sizes.file;
      part.longest_label = std::max(part.longest_label, sizes.label);
    }
    lines += part.lines;
    files += part.files;
    for (std::uint64_t seen = longest; seen < part.longest_label;)
      longest.compare_exchange_weak(seen, part.longest_label);
  });
  return {lines, files, longest};
}

/// With so many rows an image.
std::uint64_t disk_needed(const Listing& listing, const Total& total, std::size_t dim, const ExtractOptions& options,
                          double rows) {
  const std::uint64_t count = listing.files.size(), batches = (count + options.batch - 1) / options.batch;
  const auto of_rows = [&](std::uint64_t one_each) {
    return static_cast<std::uint64_t>(std::ceil(rows * static_cast<double>(one_each)));
  };
  const std::uint64_t vectors = of_rows(count * dim * item_size(options.dtype));
  std::uint64_t disk = vectors + of_rows(total.lines) + count * sizeof(Stamp) + batches * kJournalRecord + kSmallFiles;
  if (options.npy_pair) disk += vectors + of_rows(count * total.longest_label * 4);
  return disk;
}

/// What an unfinished run has written already.
std::uint64_t disk_taken(const SetPaths& paths) {
  if (!exists(paths.state + "/journal")) return 0;
  std::uint64_t taken = 0;
  for (const char* name : {"vectors.npy", "rows.jsonl", "inputs", "journal"})
    taken += size_of(paths.state + "/" + name);
  return taken;
}

std::uint64_t disk_free(const std::string& output) {
  std::string folder = parent_path(output);
  while (!is_directory(folder) && folder != "/" && folder != ".") folder = parent_path(folder);
  struct statvfs status {};
  if (statvfs(folder.c_str(), &status) != 0)
    throw OutputError(fmt::format("{}: cannot be examined: {}", display_path(folder), std::strerror(errno)));
  return static_cast<std::uint64_t>(status.f_bavail) * status.f_frsize;
}

/// Items of the list that a run would have to encode.
std::uint64_t count_to_do(const Listing& listing, const ExtractOptions& options) {
  const SetPaths paths = set_paths(options.output);
  const std::uint64_t total = listing.files.size();
  if (exists(paths.state + "/journal"))
    return total - std::min(total, size_of(paths.state + "/inputs") / sizeof(Stamp));
  if (!options.update || !exists(paths.manifest) || !exists(paths.state + "/inputs")) return total;
  const Previous before(paths.manifest, paths.state + "/inputs", item_rows(options));
  const Reuse reuse(listing, options, {&before});
  std::uint64_t kept = 0;
  for (std::size_t i = 0; i < total; ++i) kept += reuse.kept(i).has_value();
  return total - kept;
}

/// What a trial showed.
struct Trial {
  double images_per_second = 0, rows_per_image = 1;
};

/// A warm-up, then batches from all over the list for some seconds at most.
Trial try_out(const BatchContext& context) {
  constexpr std::chrono::seconds kEnough(3);
  constexpr std::size_t kRounds = 16;
  const std::size_t batch = context.options.batch, count = context.listing.files.size();
  const std::size_t batches = (count + batch - 1) / batch, threads = worker_threads();
  const std::size_t wanted = std::min(batches, kRounds * threads);
  std::atomic<std::uint64_t> looked_at = 0, rows = 0;  // by both
  const auto run = [&](std::size_t first, std::size_t last, Clock::time_point end) {
    std::atomic<std::uint64_t> done = 0;
    parallel_blocks(last - first, 1, [&](std::size_t begin, std::size_t) {
      if (Clock::now() > end || wants_stop(context.options)) return;
      BatchBuffers buffers;
      BatchOutput output;
      (context.detector ? process_regions : process_batch)(context, (first + begin) * batches / wanted * batch, buffers,
                                                           output);
      done += output.items;
      looked_at += output.items;
      rows += output.rows;
    });
    return done.load();
  };
  run(0, std::min(wanted, threads), Clock::time_point::max());
  const Clock::time_point start = Clock::now();
  const std::uint64_t done = run(0, wanted, start + kEnough);
  const std::chrono::duration<double> seconds = Clock::now() - start;
  Trial trial{.images_per_second = static_cast<double>(done) / std::max(seconds.count(), 1e-9)};
  if (looked_at > 0) trial.rows_per_image = static_cast<double>(rows) / static_cast<double>(looked_at);
  return trial;
}

std::uint64_t peak_memory() {
  struct rusage usage {};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<std::uint64_t>(usage.ru_maxrss) * 1024;
}

}  // namespace

Estimate estimate(const Listing& listing, const EncoderChoice& choice, const ExtractOptions& options) {
  validate(options);
  if (listing.files.empty()) throw MissingInput("the list of pictures is empty");
  const Labels labels(options.label, listing.files);
  const bool regions = options.regions.has_value();
  const Total total = add_up(listing, labels, regions);
  const SetPaths paths = set_paths(options.output);
  Estimate out{.images = listing.files.size(), .bytes = total.files};
  out.disk_free = disk_free(paths.npy);
  out.to_do = count_to_do(listing, options);
  const auto check_disk = [&](double rows) {
    const auto dim = static_cast<std::size_t>(choice.preset.dimension);
    const std::uint64_t needed = disk_needed(listing, total, dim, options, rows);
    out.disk = needed - std::min(needed, disk_taken(paths));
    if (out.to_do > 0 && out.disk > out.disk_free)
      throw ResourceLimit(fmt::format("{}: the set will take {} of disk, {} are free there; choose another disk{}",
                                      display_path(paths.npy), human_bytes(out.disk), human_bytes(out.disk_free),
                                      options.dtype == Dtype::float32 ? ", or --dtype float16" : ""));
  };
  check_disk(regions ? 0 : 1);  // of regions, how many rows there will be is not known yet
  if (out.to_do > 0) {
    const std::unique_ptr<Encoder> encoder = choice.open();
    const auto detector = regions ? options.regions->finder.open() : nullptr;
    const Trial trial = try_out({listing, options, *encoder, labels, nullptr, detector.get()});
    out.images_per_second = trial.images_per_second;
    out.seconds = static_cast<double>(out.to_do) / out.images_per_second;
    if (regions) check_disk(trial.rows_per_image);
  }
  out.memory = peak_memory();
  if (options.decode.decoders) out.memory += options.decode.decoders->peak_memory();
  return out;
}

std::string to_tsv(const Estimate& e) {
  return fmt::format(
      "images\t{}\nbytes\t{}\nto_do\t{}\nimages_per_second\t{:.1f}\nseconds\t{:.0f}\nmemory\t{}\ndisk\t{}\ndisk_free\t{"
      "}\n",
      e.images, e.bytes, e.to_do, e.images_per_second, e.seconds, e.memory, e.disk, e.disk_free);
}

std::string to_json(const Estimate& e) {
  return fmt::format(
      R"({{"images":{},"bytes":{},"to_do":{},"images_per_second":{:.1f},"seconds":{:.0f},"memory":{},"disk":{},"disk_free":{}}})"
      "\n",
      e.images, e.bytes, e.to_do, e.images_per_second, e.seconds, e.memory, e.disk, e.disk_free);
}

}  // namespace cbir
