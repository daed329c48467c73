/// cbir-detect: the things in pictures, or parts that may be things, each as a box.

#include <fmt/format.h>

#include <CLI/App.hpp>
#include <optional>
#include <string>
#include <vector>

#include <cbir/base/error.hpp>
#include <cbir/base/file.hpp>
#include <cbir/base/log.hpp>
#include <cbir/base/parallel.hpp>
#include <cbir/base/text.hpp>
#include <cbir/cli/decoder_flags.hpp>
#include <cbir/cli/detector_flags.hpp>
#include <cbir/cli/program.hpp>
#include <cbir/cli/regions.hpp>
#include <cbir/extract/listing.hpp>
#include <cbir/extract/regions.hpp>

namespace {

struct Options {
  std::vector<std::string> paths;  ///< files and folders
  std::string files_from;          ///< a file of paths, or "-"
  bool nul = false;                ///< paths in that file end with NUL
  cbir::ListingOptions listing;
  cbir::FinderRequest finder;  ///< detector or proposer
  std::string format = "tsv", output = "-", alpha = "white";
  cbir::DecodeOptions decode;
  cbir::DecoderRequest decoders;
  std::size_t threads = 0;  ///< 0: all processors
  bool force = false;       ///< replace an existing output
};

void add_options(CLI::App& app, Options& options) {
  app.add_option("PATH", options.paths, "Pictures, and folders to walk");
  app.add_option("--files-from", options.files_from, "Take paths from a file, one a line; - is standard input")
      ->type_name("FILE");
  app.add_flag("-0,--null", options.nul, "Paths of --files-from end with NUL, not newline");
  app.add_option("--include", options.listing.include, "Walk: only files that match")
      ->type_name("GLOB")
      ->allow_extra_args(false);
  app.add_option("--exclude", options.listing.exclude, "Walk: leave out files and folders that match")
      ->type_name("GLOB")
      ->allow_extra_args(false);
  app.add_flag("--hidden", options.listing.hidden, "Walk: enter what begins with a dot, too");
  app.add_option("--model", options.finder.model,
                 "A detector's name (cbir-models list), its preset's file.json, or its weights: FILE.pt, FILE.onnx")
      ->type_name("NAME|FILE");
  app.add_flag("--proposals{edges}", options.finder.proposals,
               "Instead of a detector: parts that may be things, by their edges, or by a grid")
      ->type_name("[=KIND]");
  cbir::add_detector_flags(app, options.finder, "--max");
  app.add_option("--precision", options.finder.detector.precision,
                 "Arithmetic of the network: float32; bfloat16, where processor or GPU have it; auto: that if they do")
      ->check(CLI::IsMember({"auto", "float32", "bfloat16"}))
      ->type_name("TYPE")
      ->capture_default_str();
  app.add_option("--device", options.finder.detector.device,
                 "Where the network runs: cpu; cuda; auto: cuda if there is one")
      ->check(CLI::IsMember({"auto", "cpu", "cuda"}))
      ->type_name("WHERE")
      ->capture_default_str();
  app.add_option("--format", options.format, "tsv, or jsonl (an object a box)")
      ->check(CLI::IsMember({"tsv", "jsonl"}))
      ->capture_default_str();
  app.add_option("-o,--output", options.output, "File to write; -: standard output")
      ->type_name("FILE")
      ->capture_default_str();
  app.add_option("--alpha", options.alpha, "Transparent pictures: on white, or as if opaque")
      ->check(CLI::IsMember({"white", "drop"}))
      ->capture_default_str();
  app.add_option("--max-pixels", options.decode.max_pixels, "Refuse larger pictures, before decoding")
      ->check(cbir::whole_number(1))
      ->type_name("N")
      ->capture_default_str();
  cbir::add_decoder_flags(app, options.decoders);
  app.add_flag("--accept-truncated", options.decode.accept_truncated, "Take JPEGs that end too early, the rest grey");
  cbir::add_threads(app, options.threads);
  app.add_flag("--force", options.force, "Replace FILE");
}

void validate(const CLI::App& app, Options& options) {
  if (options.paths.empty() && options.files_from.empty())
    throw cbir::UsageError("nothing named to look at: give PATH... or --files-from");
  if (!options.paths.empty() && !options.files_from.empty())
    throw cbir::UsageError("found both PATH and --files-from, expected one of them");
  if (options.nul && options.files_from.empty())
    throw cbir::UsageError("-0 is about --files-from, which was not given");
  if (!options.files_from.empty())
    for (const char* option : {"--include", "--exclude", "--hidden"})
      if (app.count(option) > 0)
        throw cbir::UsageError(fmt::format("{} is about walks through folders, not about --files-from", option));
  if (!options.finder.model.empty() && !options.finder.proposals.empty())
    throw cbir::UsageError("found both --model and --proposals, expected one of them");
  if (options.finder.model.empty() && options.finder.proposals.empty())
    throw cbir::UsageError("name a detector by --model (cbir-models list shows which there are), or give --proposals");
  cbir::validate_detector_flags(app, options.finder);
  cbir::validate_decoder_flags(app, options.decoders);
  options.decode.alpha = options.alpha == "white" ? cbir::Alpha::white : cbir::Alpha::drop;
}

cbir::Listing list(const Options& options) {
  if (options.files_from.empty()) return cbir::list_paths(options.paths, options.listing);
  cbir::Listing listing = cbir::list_lines(cbir::read_text(options.files_from), options.nul ? '\0' : '\n');
  if (listing.files.empty())
    throw cbir::MissingInput(fmt::format("{}: the list is empty", cbir::display_path(options.files_from)));
  return listing;
}

cbir::ExitCode run(Options options, cbir::Program& program) {
  validate(program.app(), options);
  const auto decoders = cbir::make_decoders(options.decoders);
  options.decode.decoders = decoders.get();
  const cbir::ThreadLimit limit(options.threads);
  const cbir::Listing listing = list(options);
  cbir::OutputFile out(options.output, options.force);
  const auto finder = cbir::choose_finder(options.finder).open();
  const auto writer =
      options.format == "tsv" ? cbir::make_regions_tsv_writer(out) : cbir::make_regions_jsonl_writer(out);
  std::uint64_t done = 0, failed = 0;
  {
    cbir::ProgressLine line("pictures", listing.files.size(), program.shows_progress());
    cbir::find_regions(listing, *finder, options.decode, [&](const cbir::FoundRegions& found) {
      writer->write(found);
      if (found.failure) {
        ++failed;
        cbir::log(cbir::LogLevel::warning, fmt::format("{}: {}: {}", cbir::display_path(found.file.path),
                                                       found.failure->stage, found.failure->reason));
      }
      line.update(++done, failed);
    });
  }
  if (failed == listing.files.size())
    throw cbir::MissingInput(failed == 1 ? "the one picture cannot be used"
                                         : fmt::format("none of the {} pictures can be used", failed));
  out.commit();
  if (failed == 0) return cbir::ExitCode::ok;
  cbir::log(cbir::LogLevel::warning,
            fmt::format("{} of {} skipped", failed, cbir::counted(listing.files.size(), "picture")));
  return cbir::ExitCode::skipped;
}

}  // namespace

int main(int argc, char** argv) {
  cbir::Program program({.name = "cbir-detect",
                         .summary = "Finds things in pictures, or parts that may be things: a box each.",
                         .example = "cbir-detect --model yolov5s --classes person,car --format jsonl street.jpg",
                         .see_also = "cbir-extract, cbir-models, cbir-query"});
  Options options;
  add_options(program.app(), options);
  return program.run(argc, argv, [&] { return run(options, program); });
}
