/// cbir-extract: pictures, or texts, into an embedding set.

#include <fmt/format.h>
#include <unistd.h>

#include <cbir/base/excerpt.hpp>
#include <cbir/base/file.hpp>
#include <cbir/base/log.hpp>
#include <cbir/base/parallel.hpp>
#include <cbir/base/text.hpp>
#include <cbir/cli/encoder_flags.hpp>
#include <cbir/cli/program.hpp>
#include <cbir/extract/extract.hpp>
#include <cbir/extract/texts.hpp>

namespace {

struct Options {
  std::vector<std::string> paths;      // files and folders
  std::string files_from;              // a file of paths, or "-"
  std::string text_file;               // a file of texts, or "-"
  std::vector<std::string> templates;  // that they are put into
  bool nul = false;                    // paths or texts in a file end with NUL instead of newline
  cbir::EncoderRequest encoder = {.model = "efficientnet-lite0"};
  std::size_t threads = 0;  // 0: as many as there are processors for this process
  std::string dtype = "float32", alpha = "white";
  std::string max_failures;  // empty: no limit
  cbir::ListingOptions listing;
  cbir::ExtractOptions extract;
};

void add_options(CLI::App& app, Options& options) {
  app.add_option("PATH", options.paths, "Pictures, and folders to walk");
  app.add_option("-o,--output", options.extract.output, "Name of the set: writes NAME.npy, NAME.rows.jsonl, NAME.json")
      ->required()
      ->type_name("NAME");
  app.add_option("--files-from", options.files_from, "Take paths from a file, one a line; - is standard input")
      ->type_name("FILE");
  app.add_option("--text-file", options.text_file, "Take texts instead of pictures, one a line; - is standard input")
      ->type_name("FILE");
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
  app.add_flag("--accept-truncated", options.extract.decode.accept_truncated,
               "Take JPEGs that end too early, the rest grey");
  app.add_option("--max-failures", options.max_failures, "Give up after more failures than this")->type_name("N|P%");
  app.add_option("--batch", options.extract.batch, "Pictures that go through the network together")
      ->check(cbir::whole_number(1, 4096))
      ->type_name("N")
      ->capture_default_str();
  cbir::add_threads(app, options.threads);
  app.add_flag("--force", options.extract.force, "Replace a finished set, drop an unfinished run");
}

/// Refuses options that have nothing to act on when texts are encoded.
void validate_texts(const CLI::App& app) {
  for (const char* option :
       {"--include", "--exclude", "--hidden", "--alpha", "--max-pixels", "--accept-truncated", "--batch"})
    if (app.count(option) > 0) throw cbir::UsageError(fmt::format("{} is about pictures, not about texts", option));
}

/// Checks what the options say together, before any picture is opened.
void validate(const CLI::App& app, Options& options) {
  const int sources = !options.paths.empty() + !options.files_from.empty() + !options.text_file.empty();
  if (sources == 0) throw cbir::UsageError("nothing named to encode: give PATH..., --files-from or --text-file");
  if (sources > 1) throw cbir::UsageError("found several of PATH, --files-from and --text-file, expected one of them");
  if (options.nul && !options.paths.empty())
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
  options.encoder.reads_text = texts;
  options.extract.dtype = cbir::parse_dtype(options.dtype);
  options.extract.decode.alpha = options.alpha == "white" ? cbir::Alpha::white : cbir::Alpha::drop;
  if (!options.max_failures.empty()) options.extract.max_failures = cbir::parse_failure_limit(options.max_failures);
}

cbir::Listing list(const Options& options) {
  if (!options.text_file.empty()) return cbir::read_texts(options.text_file, options.nul ? '\0' : '\n');
  if (options.files_from.empty()) return cbir::list_paths(options.paths, options.listing);
  const cbir::Listing listing = cbir::list_lines(cbir::read_text(options.files_from), options.nul ? '\0' : '\n');
  if (listing.files.empty())
    throw cbir::MissingInput(fmt::format("{}: the list is empty", cbir::display_path(options.files_from)));
  return listing;
}

std::string first_failed(const cbir::ExtractReport& report, const Options& options) {
  const std::string& path = report.first_failure->path;
  return options.text_file.empty() ? cbir::display_path(path) : cbir::excerpt(path);
}

/// One line: always if something was skipped, else for people who watch.
void summarise(const cbir::ExtractReport& report, const cbir::Listing& listing, const Options& options, bool watched) {
  const cbir::SetPaths paths = cbir::set_paths(options.extract.output);
  const std::string ignored =
      listing.ignored ? fmt::format("; {} passed over, being no pictures", cbir::counted(listing.ignored, "file")) : "";
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

cbir::ExitCode run(Options options, cbir::Program& program) {
  validate(program.app(), options);
  const cbir::ThreadLimit threads(options.threads);
  const cbir::Listing listing = list(options);
  const bool texts = !options.text_file.empty();
  const cbir::TextPrompts prompts(options.templates.begin(), options.templates.end());
  const cbir::EncoderChoice encoder = cbir::choose_encoder(options.encoder);
  cbir::ExtractReport report;
  {
    cbir::ProgressLine line(texts ? "texts" : "pictures", listing.files.size(), program.shows_progress());
    const auto progress = [&](std::uint64_t done, std::uint64_t failed) { line.update(done, failed); };
    report = texts ? cbir::extract_texts(listing, prompts, encoder, options.extract, progress)
                   : cbir::extract(listing, encoder, options.extract, progress);
  }
  summarise(report, listing, options, isatty(STDERR_FILENO) == 1);
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
