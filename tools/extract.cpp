/// cbir-extract: pictures, or texts, into an embedding set.

#include <fmt/format.h>
#include <unistd.h>

#include <chrono>
#include <cstring>

#include <cbir/base/excerpt.hpp>
#include <cbir/base/file.hpp>
#include <cbir/base/log.hpp>
#include <cbir/base/parallel.hpp>
#include <cbir/base/text.hpp>
#include <cbir/cli/decoder_flags.hpp>
#include <cbir/cli/detector_flags.hpp>
#include <cbir/cli/encoder_flags.hpp>
#include <cbir/cli/program.hpp>
#include <cbir/cli/signals.hpp>
#include <cbir/extract/estimate.hpp>
#include <cbir/extract/extract.hpp>
#include <cbir/extract/local.hpp>
#include <cbir/extract/picture.hpp>
#include <cbir/extract/report.hpp>
#include <cbir/extract/texts.hpp>

namespace {

struct Options {
  std::vector<std::string> paths;      // files and folders
  std::string files_from;              // a file of paths, or "-"
  std::string text_file;               // a file of texts, or "-"
  std::string boxes;                   // a file of parts of pictures, or "-"
  std::vector<std::string> templates;  // that they are put into
  std::string regions;                 // "detect", "proposals", "grid": rows are what is found in pictures; or empty
  std::string detector = "yolov5s", whole = "empty";  // of regions
  cbir::FinderRequest finder;                         // the same, as validated
  bool nul = false;                                   // paths or texts in a file end with NUL instead of newline
  cbir::EncoderRequest encoder = {.model = "efficientnet-lite0"};
  std::size_t threads = 0;  // 0: as many as there are processors for this process
  std::string dtype = "float32", alpha = "white";
  std::string max_failures;  // empty: no limit
  std::string shard;         // "2/4"; empty: the whole list
  cbir::DecoderRequest decoders;
  bool json = false;      // say what was done on standard output
  bool estimate = false;  // only say what it would take
  cbir::ListingOptions listing;
  cbir::ExtractOptions extract;
  std::string local;             // local features to be kept beside the set; empty: none
  std::size_t keypoints = 1000;  // of each picture
};

void add_update(CLI::App& app, cbir::ExtractOptions& extract) {
  const char* const group = "Keeping a set up to date";
  app.add_flag("--update", extract.update, "Bring the set up to date with its files: only what changed is done")
      ->group(group);
  app.add_flag("--checksum", extract.checksum, "Compare files by content, not by size, time of change and inode")
      ->group(group);
  app.add_flag("--retry-failed", extract.retry_failed, "Try again what could not be decoded, though it is unchanged")
      ->group(group);
}

void add_options(CLI::App& app, Options& options) {
  app.add_option("PATH", options.paths, "Pictures, and folders to walk");
  app.add_option("-o,--output", options.extract.output, "Name of the set: writes NAME.npy, NAME.rows.jsonl, NAME.json")
      ->required()
      ->type_name("NAME");
  app.add_option("--files-from", options.files_from, "Take paths from a file, one a line; - is standard input")
      ->type_name("FILE");
  app.add_option("--text-file", options.text_file, "Take texts instead of pictures, one a line; - is standard input")
      ->type_name("FILE");
  app.add_option("--boxes", options.boxes,
                 "Make a row a box: a TSV of id, path (in PATH, if that is given), x1, y1, x2, y2; - is standard input")
      ->type_name("FILE");
  app.add_option("--regions", options.regions,
                 "Make a row a thing that a detector finds, a proposal, or a box of a grid, instead of a picture")
      ->check(CLI::IsMember({"detect", "proposals", "grid"}))
      ->group("Regions");
  app.add_option("--detector", options.detector,
                 "Of --regions detect: a name (cbir-models list), its preset, or weights")
      ->type_name("NAME|FILE")
      ->capture_default_str()
      ->group("Regions");
  app.add_option("--whole", options.whole,
                 "When the whole picture is a row, too: if it is empty of regions, always (first), or never")
      ->check(CLI::IsMember({"empty", "always", "never"}))
      ->capture_default_str()
      ->group("Regions");
  cbir::add_detector_flags(app, options.finder, "--max-regions");
  app.add_option("--template", options.templates,
                 "Put each text into this, as 'a photo of a {}'; of several templates the average is taken")
      ->type_name("TEXT")
      ->allow_extra_args(false);
  app.add_flag("-0,--null", options.nul, "Paths of --files-from, and texts, end with NUL, not newline");
  app.add_option("--include", options.listing.include, "Walk: only files that match")
      ->type_name("GLOB")
      ->allow_extra_args(false);
  app.add_option("--exclude", options.listing.exclude, "Walk: leave out files and folders that match")
      ->type_name("GLOB")
      ->allow_extra_args(false);
  app.add_flag("--hidden", options.listing.hidden, "Walk: enter what begins with a dot, too");
  cbir::add_encoder_flags(app, options.encoder, "Encoder", "A preset's name (cbir-models list), or its file.json");
  app.add_option("--label", options.extract.label,
                 "Labels: parent (the folder's name), none, or a TSV of path and label")
      ->type_name("parent|none|TSV")
      ->capture_default_str();
  app.add_flag("--npy-labels", options.extract.npy_pair,
               "Write NAME_Embeddings.npy and NAME_Categories.npy, too: vectors and labels as plain arrays");
  app.add_option("--dtype", options.dtype, "Type of the vectors")
      ->check(CLI::IsMember({"float32", "float16"}))
      ->capture_default_str();
  app.add_option("--alpha", options.alpha, "Transparent pictures: on white, or as if opaque")
      ->check(CLI::IsMember({"white", "drop"}))
      ->capture_default_str();
  app.add_option("--max-pixels", options.extract.decode.max_pixels, "Refuse larger pictures, before decoding")
      ->check(cbir::whole_number(1))
      ->type_name("N")
      ->capture_default_str();
  cbir::add_decoder_flags(app, options.decoders);
  app.add_flag("--accept-truncated", options.extract.decode.accept_truncated,
               "Take JPEGs that end too early, the rest grey");
  app.add_option("--max-failures", options.max_failures, "Give up after more failures than this")->type_name("N|P%");
  app.add_option("--batch", options.extract.batch, "Pictures that go through the network together")
      ->check(cbir::whole_number(1, 4096))
      ->type_name("N")
      ->capture_default_str();
  app.add_option(
         "--local", options.local,
         "Keep local features, too, in NAME.local: sift, orb, xfeat, aliked, superpoint, or a preset's file.json")
      ->type_name("FEATURES");
  app.add_option("--keypoints", options.keypoints, "With --local: of each picture, at most")
      ->check(cbir::whole_number(1, 100'000))
      ->type_name("N")
      ->capture_default_str();
  cbir::add_threads(app, options.threads);
  app.add_flag("--estimate", options.estimate,
               "Write nothing: say what a run would take, by a trial; 9 if the disk would not hold it");
  app.add_flag("--json", options.json, "Say what was done as one JSON object on standard output");
  app.add_flag("--force", options.extract.force, "Replace a finished set, drop an unfinished run");
  add_update(app, options.extract);
  app.add_option("--shard", options.shard, "Take part I of N of the list, into NAME.I-of-N; cbir-index joins them")
      ->type_name("I/N")
      ->group("Several machines");
}

/// Refuses options that have nothing to act on when texts are encoded.
void validate_texts(const CLI::App& app) {
  for (const char* option : {"--include", "--exclude", "--hidden", "--alpha", "--max-pixels", "--accept-truncated",
                             "--isolate", "--decode-timeout", "--batch", "--local", "--update", "--estimate"})
    if (app.count(option) > 0) throw cbir::UsageError(fmt::format("{} is about pictures, not about texts", option));
}

/// With --boxes, PATH is no list but the folder of the pictures, which nobody walks.
void validate_boxes(const CLI::App& app, const Options& options) {
  if (options.paths.size() > 1)
    throw cbir::UsageError("--boxes: found several PATHs, expected none, or the folder that its paths begin at");
  for (const char* option : {"--include", "--exclude", "--hidden"})
    if (app.count(option) > 0) throw cbir::UsageError(fmt::format("{} is about walks, not about --boxes", option));
}

void validate_update(const CLI::App& app, const cbir::ExtractOptions& extract) {
  for (const char* option : {"--checksum", "--retry-failed"})
    if (app.count(option) > 0 && !extract.update)
      throw cbir::UsageError(fmt::format("{} is about --update, which was not given", option));
  if (extract.update && extract.force)
    throw cbir::UsageError("--update keeps what --force would make anew: expected one of them");
}

/// Options about regions, and what finds them.
void validate_regions(const CLI::App& app, Options& options) {
  const bool given = !options.regions.empty();
  if (given && !options.text_file.empty()) throw cbir::UsageError("--regions is about pictures, not about texts");
  if (given && !options.boxes.empty()) throw cbir::UsageError("found both --regions and --boxes, expected one of them");
  for (const char* option : {"--whole", "--max-regions"})
    if (!given && app.count(option) > 0)
      throw cbir::UsageError(fmt::format("{} is about --regions, which was not given", option));
  if (options.regions == "detect") options.finder.model = options.detector;
  else if (app.count("--detector") > 0)
    throw cbir::UsageError("--detector is about --regions detect, which was not given");
  cbir::validate_detector_flags(app, options.finder);
  options.finder.detector.device = options.encoder.options.device;
  if (options.regions == "proposals") options.finder.proposals = "edges";
  if (options.regions == "grid") options.finder.proposals = "grid";
}

/// Checks what the options say together, before any picture is opened.
void validate(const CLI::App& app, Options& options) {
  const bool boxes = !options.boxes.empty();  // PATH says where their pictures are
  const int sources = (boxes || !options.paths.empty()) + !options.files_from.empty() + !options.text_file.empty();
  if (sources == 0)
    throw cbir::UsageError("nothing named to encode: give PATH..., --files-from, --text-file or --boxes");
  if (sources > 1)
    throw cbir::UsageError("found several of PATH, --files-from, --text-file and --boxes, expected one of them");
  if (boxes) validate_boxes(app, options);
  validate_regions(app, options);
  if (options.nul && (boxes || !options.paths.empty()))
    throw cbir::UsageError("-0 is about --files-from or --text-file, of which none was given");
  if (!options.files_from.empty() && (!options.listing.include.empty() || !options.listing.exclude.empty()))
    throw cbir::UsageError("--include and --exclude are about walks through folders, not about --files-from");
  const bool texts = !options.text_file.empty();
  if (texts) validate_texts(app);
  if (!texts && !options.templates.empty())
    throw cbir::UsageError("--template is about --text-file, which was not given");
  if (texts && app.count("--label") == 0) options.extract.label = "none";  // a text lies in no folder
  if (texts && options.extract.label == "parent")
    throw cbir::UsageError("--label parent is about folders, which texts have none of: expected none or a TSV");
  if (options.extract.npy_pair && options.extract.label == "none")
    throw cbir::UsageError(texts ? "--npy-labels needs labels: give --label TSV"
                                 : "--npy-labels has no labels to write with --label none");
  validate_update(app, options.extract);
  if (options.estimate && !options.local.empty())
    throw cbir::UsageError("--estimate is of the vectors alone: leave out --local");
  if (options.local.empty() && app.count("--keypoints") > 0)
    throw cbir::UsageError("--keypoints is about --local, which was not given");
  cbir::validate_decoder_flags(app, options.decoders);
  options.encoder.reads_text = texts;
  options.extract.dtype = cbir::parse_dtype(options.dtype);
  options.extract.decode.alpha = options.alpha == "white" ? cbir::Alpha::white : cbir::Alpha::drop;
  if (!options.max_failures.empty()) options.extract.max_failures = cbir::parse_failure_limit(options.max_failures);
}

cbir::Listing list_all(const Options& options) {
  if (!options.text_file.empty()) return cbir::read_texts(options.text_file, options.nul ? '\0' : '\n');
  if (!options.boxes.empty()) {
    const std::string folder = options.paths.empty() ? "" : options.paths.front();
    if (!folder.empty() && !cbir::is_directory(folder))
      throw cbir::MissingInput(fmt::format("{}: there is no such folder", cbir::display_path(folder)));
    return cbir::read_boxes(options.boxes, folder);
  }
  if (options.files_from.empty()) return cbir::list_paths(options.paths, options.listing);
  const cbir::Listing listing = cbir::list_lines(cbir::read_text(options.files_from), options.nul ? '\0' : '\n');
  if (listing.files.empty())
    throw cbir::MissingInput(fmt::format("{}: the list is empty", cbir::display_path(options.files_from)));
  return listing;
}

/// The list, or the part of it that was asked for, whose set has a name of its own.
cbir::Listing list(Options& options) {
  if (options.shard.empty()) return list_all(options);
  const std::size_t slash = options.shard.find('/');
  std::uint64_t part = 0, of = 0;
  if (slash == std::string::npos || !cbir::parse_number(options.shard.substr(0, slash), part) ||
      !cbir::parse_number(options.shard.substr(slash + 1), of) || part == 0 || part > of || of > cbir::kMostShards)
    throw cbir::UsageError(fmt::format("--shard: found '{}', expected I/N, from 1/N to N/N, of at most {} parts",
                                       cbir::display_path(options.shard), cbir::kMostShards));
  const std::string npy = cbir::set_paths(options.extract.output).npy;
  options.extract.output = cbir::shard_name(npy.substr(0, npy.size() - 4), part, of);
  return cbir::take_shard(list_all(options), part, of);
}

std::string first_failed(const cbir::ExtractReport& report, const Options& options) {
  const std::string& path = report.first_failure->path;
  return options.text_file.empty() ? cbir::display_path(path) : cbir::excerpt(path);
}

/// A line if something was skipped, or was to be brought up to date, else for people who watch.
void summarise(const cbir::ExtractReport& report, const cbir::Listing& listing, const Options& options, bool watched) {
  const cbir::SetPaths paths = cbir::set_paths(options.extract.output);
  const std::string ignored =
      listing.ignored ? fmt::format("; {} passed over, being no pictures", cbir::counted(listing.ignored, "file")) : "";
  if (report.changes)
    cbir::log(cbir::LogLevel::info,
              fmt::format("{}: {}", cbir::display_path(paths.manifest), cbir::describe(*report.changes)));
  if (report.nothing_to_do) {
    cbir::log(
        watched ? cbir::LogLevel::info : cbir::LogLevel::debug,
        fmt::format("nothing to do: {} is finished and its inputs are unchanged", cbir::display_path(paths.manifest)));
  } else if (report.failed) {
    cbir::log(cbir::LogLevel::warning,
              fmt::format("{} of {} skipped, the first {}: {}; all of them are listed in {}{}", report.failed,
                          cbir::counted(listing.files.size(), "item"), first_failed(report, options),
                          report.first_failure->reason, cbir::display_path(paths.failed), ignored));
  } else {
    cbir::log(watched ? cbir::LogLevel::info : cbir::LogLevel::debug,
              fmt::format("{} in {}{}", cbir::counted(report.rows, "row"), cbir::display_path(paths.npy), ignored));
  }
}

/// What is said of a run that a signal has stopped, and its exit status.
cbir::ExitCode stopped(int signal, const cbir::ExtractReport& report, const cbir::Listing& listing,
                       const Options& options) {
  cbir::log(cbir::LogLevel::warning,
            fmt::format("stopped by SIG{} after {} of {}, which {} keeps; the same command goes on with the rest",
                        sigabbrev_np(signal), report.done, cbir::counted(listing.files.size(), "item"),
                        cbir::display_path(cbir::set_paths(options.extract.output).state)));
  return static_cast<cbir::ExitCode>(128 + signal);
}

/// The features of the finished set's pictures.
cbir::LocalReport keep_local(const Options& options, const cbir::Program& program, std::uint64_t rows, bool watched) {
  cbir::ProgressLine line("pictures looked at", rows, program.shows_progress());
  const cbir::LocalReport report = cbir::extract_local(
      options.extract.output, {.features = options.local, .keypoints = options.keypoints}, options.extract.decode,
      options.extract.force, [&](std::uint64_t done, std::uint64_t failed) { line.update(done, failed); },
      options.extract.stop);
  if (report.stopped) return report;
  const std::string path = cbir::display_path(cbir::local_path(options.extract.output));
  if (report.failed)
    cbir::log(
        cbir::LogLevel::warning,
        fmt::format("{}: {} could not be read any more and {} without features, the first {}", path,
                    cbir::counted(report.failed, "picture"), report.failed == 1 ? "is" : "are", report.first_failure));
  else
    cbir::log(watched ? cbir::LogLevel::info : cbir::LogLevel::debug,
              report.nothing_to_do ? fmt::format("nothing to do: {} is finished", path)
                                   : fmt::format("{} of {} in {}", cbir::counted(report.keypoints, "keypoint"),
                                                 cbir::counted(report.pictures, "row"), path));
  return report;
}

/// What is said of a run that a signal has stopped when the set was finished and its features were not.
cbir::ExitCode stopped_local(int signal, const cbir::LocalReport& report, const Options& options) {
  cbir::log(
      cbir::LogLevel::warning,
      fmt::format("stopped by SIG{} after the features of {} of {}, which {} keeps; the same command goes on with "
                  "the rest",
                  sigabbrev_np(signal), report.done, cbir::counted(report.pictures, "row"),
                  cbir::display_path(cbir::set_paths(options.extract.output).state)));
  return static_cast<cbir::ExitCode>(128 + signal);
}

cbir::ExitCode run(Options options, cbir::Program& program) {
  validate(program.app(), options);
  const bool texts = !options.text_file.empty();
  const auto decoders = texts ? nullptr : cbir::make_decoders(options.decoders, cbir::preprocess_by_bytes);
  options.extract.decode.decoders = decoders.get();
  const cbir::ThreadLimit threads(options.threads);
  const cbir::Listing listing = list(options);
  const cbir::TextPrompts prompts(options.templates.begin(), options.templates.end());
  const cbir::EncoderChoice encoder = cbir::choose_encoder(options.encoder);
  if (!options.regions.empty())
    options.extract.regions = cbir::RegionOptions{.finder = cbir::choose_finder(options.finder),
                                                  .whole = cbir::parse_whole_picture(options.whole)};
  if (options.estimate) {
    const cbir::Estimate estimate = cbir::estimate(listing, encoder, options.extract);
    fmt::print("{}", options.json ? cbir::to_json(estimate) : cbir::to_tsv(estimate));
    return cbir::ExitCode::ok;
  }
  if (!options.local.empty()) cbir::open_local_extractor({.features = options.local});  // before hours of work
  cbir::ExtractReport report;
  const cbir::StopSignals signals;
  options.extract.stop = [&] { return signals.received() != 0; };
  {
    cbir::ProgressLine line(texts                   ? "texts"
                            : options.boxes.empty() ? "pictures"
                                                    : "boxes",
                            listing.files.size(), program.shows_progress());
    const auto progress = [&](std::uint64_t done, std::uint64_t failed) { line.update(done, failed); };
    report = texts ? cbir::extract_texts(listing, prompts, encoder, options.extract, progress)
                   : cbir::extract(listing, encoder, options.extract, progress);
  }
  if (report.stopped) return stopped(signals.received(), report, listing, options);
  const bool watched = isatty(STDERR_FILENO) == 1;
  summarise(report, listing, options, watched);
  if (options.json) fmt::print("{}", cbir::to_json(report));
  if (!options.local.empty()) {
    const cbir::LocalReport local = keep_local(options, program, report.rows, watched);
    if (local.stopped) return stopped_local(signals.received(), local, options);
    if (local.failed > 0) return cbir::ExitCode::skipped;
  }
  return report.failed && !report.nothing_to_do ? cbir::ExitCode::skipped : cbir::ExitCode::ok;
}

}  // namespace

int main(int argc, char** argv) {
  cbir::Program program({.name = "cbir-extract",
                         .summary = "Turn pictures or texts into an embedding set: one vector each.",
                         .example = "cbir-extract -o photos ~/Pictures && cbir-index build photos -o photos.cbir",
                         .see_also = "cbir-models, cbir-index, cbir-query"});
  Options options;
  add_options(program.app(), options);
  return program.run(argc, argv, [&] { return run(options, program); });
}
