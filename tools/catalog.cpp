/// cbir-catalog: items that are recognised in pictures and videos.

#include <fmt/format.h>

#include <CLI/App.hpp>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <cbir/base/log.hpp>
#include <cbir/base/parallel.hpp>
#include <cbir/base/text.hpp>
#include <cbir/catalog/catalog.hpp>
#include <cbir/catalog/identify.hpp>
#include <cbir/cli/decoder_flags.hpp>
#include <cbir/cli/encoder_flags.hpp>
#include <cbir/cli/findings.hpp>
#include <cbir/cli/program.hpp>
#include <cbir/extract/listing.hpp>
#include <cbir/video/session.hpp>

namespace {

using cbir::ExitCode;

struct Options {
  std::string catalog;
  std::vector<std::string>
      names;  ///< add: an item and its pictures, or a folder of folders; remove: items; else inputs
  cbir::EncoderRequest encoder{.model = "efficientnet-lite0"};   ///< create: all of it; else weights, precision, device
  cbir::LocalOptions local{.keypoints = 1000, .max_side = 256};  ///< create
  cbir::IdentifySetup setup;                                     ///< identify, calibrate
  cbir::IdentifyOptions identify;                                ///< likewise
  std::string model = "homography";                              ///< likewise
  cbir::WatchOptions watch;                                      ///< identify; its `decode` add and calibrate, too
  cbir::DecoderRequest decoders;                                 ///< add, identify, calibrate
  std::string every = "1";                                       ///< identify: a number, or auto
  double rate = .001;        ///< calibrate: share of pictures in which something false may be found
  std::string output = "-";  ///< identify
  std::string html;          ///< identify: a page, too
  std::string format = "tsv";
  std::size_t threads = 0;    ///< 0: all processors
  bool no_verify = false;     ///< go by embeddings alone
  bool no_proposals = false;  ///< look at pictures as a whole
  bool summary = false;       ///< a line an appearance, not a finding
  bool timings = false;       ///< say what each stage took
  bool force = false;         ///< replace outputs
};

std::string verdict(const std::string& catalog, const cbir::CatalogChange& change) {
  return fmt::format("{}: {} added, {} removed, {} now\n", cbir::display_path(catalog),
                     cbir::counted(change.added, "picture"), change.removed, change.pictures);
}

void warn_of(const cbir::FailedItem& item) {
  cbir::log(cbir::LogLevel::warning, fmt::format("{}: {}: {}", cbir::display_path(item.path), item.stage, item.reason));
}

ExitCode create(const Options& options) {
  cbir::create_catalog(options.catalog, cbir::choose_encoder(options.encoder), options.local);
  return ExitCode::ok;
}

ExitCode add(const Options& options, const cbir::Program& program) {
  const bool folder = options.names.size() == 1;
  const auto pictures = cbir::list_catalog_pictures(folder ? std::string() : options.names.front(),
                                                    {options.names.begin() + (folder ? 0 : 1), options.names.end()});
  cbir::ProgressLine line("pictures", pictures.size(), program.shows_progress());
  const cbir::CatalogChange change = cbir::add_to_catalog(
      options.catalog, pictures,
      {.weights = options.setup.weights, .encoder = options.setup.encoder, .decode = options.watch.decode},
      [&](std::uint64_t done, std::uint64_t failed) { line.update(done, failed); });
  for (const cbir::FailedItem& item : change.failed) warn_of(item);
  if (!program.quiet()) fmt::print("{}", verdict(options.catalog, change));
  return change.failed.empty() ? ExitCode::ok : ExitCode::skipped;
}

ExitCode remove(const Options& options, const cbir::Program& program) {
  const cbir::CatalogChange change = cbir::remove_from_catalog(options.catalog, options.names);
  if (!program.quiet()) fmt::print("{}", verdict(options.catalog, change));
  return ExitCode::ok;
}

ExitCode list(const Options& options) {
  const cbir::Catalog catalog = cbir::Catalog::open(options.catalog);
  for (const cbir::CatalogItem& item : catalog.items())
    fmt::print("{}", cbir::item_line(item, options.format == "jsonl"));
  return ExitCode::ok;
}

ExitCode calibrate(const Options& options, const cbir::Program& program) {
  const cbir::Catalog catalog = cbir::Catalog::open(options.catalog);
  std::vector<std::string> pictures;
  for (const cbir::ListedFile& file : cbir::list_paths(options.names, {}).files) pictures.push_back(file.path);
  cbir::ProgressLine line("pictures", pictures.size(), program.shows_progress());
  const cbir::CatalogCalibration found = cbir::calibrate_catalog(
      [&](const cbir::IdentifyOptions& identify) { return cbir::open_identifier(catalog, options.setup, identify); },
      pictures, options.rate, options.identify, options.watch.decode, [&](std::uint64_t done) { line.update(done); });
  for (const cbir::FailedItem& item : found.failed) warn_of(item);
  cbir::store_thresholds(options.catalog, found.thresholds);
  if (!program.quiet())
    fmt::print("pictures\t{}\nscore\t{:.3f}\nhighest_score\t{:.3f}\nsimilarity\t{:.4f}\nhighest_similarity\t{:.4f}\n",
               found.pictures, found.thresholds.score, found.highest_score, found.thresholds.similarity,
               found.highest_similarity);
  return found.failed.empty() ? ExitCode::ok : ExitCode::skipped;
}

/// Findings as lines, and on a page if there is one.
class Writer final : public cbir::FindingSink {
 public:
  Writer(const Options& options, cbir::OutputFile& out, cbir::FindingsPage* page)
      : options_(options), json_(options.format == "jsonl"), out_(out), page_(page) {}

  void picture(const std::string& path, const cbir::Image& picture,
               const std::vector<cbir::ItemFinding>& findings) override {
    for (const cbir::ItemFinding& finding : findings)
      out_.write(json_ ? cbir::finding_json(path, {}, 0, finding) : cbir::finding_tsv(path, {}, finding));
    if (page_) page_->add(path, picture, findings);
  }

  void frame(const std::string& path, const cbir::VideoFrame& frame,
             const std::vector<cbir::ItemFinding>& findings) override {
    if (!options_.summary) {
      for (const cbir::ItemFinding& finding : findings)
        out_.write(json_ ? cbir::finding_json(path, frame.time, frame.number, finding)
                         : cbir::finding_tsv(path, frame.time, finding));
      if (!findings.empty()) out_.flush();  // somebody may wait for it
    }
    if (page_) page_->add_frame(frame, findings);
  }

  void video(const std::string& path, const cbir::WatchReport& report) override {
    if (options_.summary)
      for (const cbir::Appearance& appearance : report.appearances)
        out_.write(json_ ? cbir::appearance_json(path, appearance) : cbir::appearance_tsv(path, appearance));
    if (page_) page_->add_video(path, report);
  }

  void failed(const cbir::FailedItem& item) override { warn_of(item); }

 private:
  const Options& options_;
  bool json_;
  cbir::OutputFile& out_;
  cbir::FindingsPage* page_;
};

ExitCode identify(const Options& options, const cbir::Program& program) {
  cbir::refuse_to_replace(options.output, options.names);
  cbir::refuse_to_replace(options.html, options.names);
  const cbir::Catalog catalog = cbir::Catalog::open(options.catalog);
  const auto identifier = cbir::open_identifier(catalog, options.setup, options.identify);
  cbir::OutputFile out(options.output, options.force);
  std::optional<cbir::OutputFile> html;
  std::optional<cbir::FindingsPage> page;
  if (!options.html.empty())
    page.emplace(html.emplace(options.html, options.force), cbir::facts_of(catalog, options.identify));
  Writer writer(options, out, page ? &*page : nullptr);
  const cbir::SessionReport report = cbir::identify_all(*identifier, options.names, options.watch, writer);
  if (page) {
    page->finish();
    html->commit();
  }
  out.commit();
  if (options.timings) fmt::print(stderr, "{}", cbir::timings_tsv(report));
  if (report.findings == 0 && !program.quiet())
    cbir::log(cbir::LogLevel::warning, "no item of the catalogue was found");
  return report.failed > 0 ? ExitCode::skipped : ExitCode::ok;
}

void validate(Options& options) {
  options.identify.verify = !options.no_verify;
  options.identify.geometry.model = cbir::parse_geometric_model(options.model);
  options.setup.proposals = !options.no_proposals;
  options.setup.weights = options.encoder.weights;
  options.setup.encoder = options.encoder.options;
  if (options.every == "auto") options.watch.every = 0;
  else if (!cbir::parse_number(options.every, options.watch.every) || options.watch.every == 0)
    throw cbir::UsageError(
        fmt::format("--every: found '{}', expected a whole number from 1, or auto", cbir::display_path(options.every)));
  if (options.watch.fps && !(*options.watch.fps > 0)) throw cbir::UsageError("--fps: expected a number above 0");
}

CLI::Option* add_catalog(CLI::App& command, Options& options) {
  cbir::add_threads(command, options.threads);
  return command.add_option("catalog", options.catalog, "Folder of the catalogue")->type_name("C")->required();
}

void add_running(CLI::App& command, Options& options) {
  const char* const group = "Encoder";
  command.add_option("--weights", options.encoder.weights, "Weights, instead of those that cbir-models fetched")
      ->type_name("FILE")
      ->group(group);
  command
      .add_option("--precision", options.encoder.options.precision,
                  "Arithmetic of the network: float32; bfloat16, where processor or GPU have it; auto: that if they do")
      ->check(CLI::IsMember({"auto", "float32", "bfloat16"}))
      ->type_name("TYPE")
      ->capture_default_str()
      ->group(group);
  command
      .add_option("--device", options.encoder.options.device,
                  "Where the network runs: cpu; cuda; auto: cuda if there is one")
      ->check(CLI::IsMember({"auto", "cpu", "cuda"}))
      ->type_name("WHERE")
      ->capture_default_str()
      ->group(group);
}

void add_create(CLI::App& command, Options& options) {
  add_catalog(command, options);
  command
      .add_option("--features", options.local.features,
                  "Local features that findings are verified by: sift, orb, xfeat, aliked, superpoint, or a preset")
      ->type_name("NAME|FILE")
      ->capture_default_str();
  command.add_option("--keypoints", options.local.keypoints, "Keypoints of an item's picture, at most")
      ->check(cbir::whole_number(1, 1'000'000))
      ->type_name("N")
      ->capture_default_str();
  command
      .add_option("--max-side", options.local.max_side,
                  "Pictures whose longer side is longer are made smaller for keypoints; 0: none")
      ->check(cbir::whole_number(0, 1'000'000))
      ->type_name("PIXELS")
      ->capture_default_str();
  cbir::add_encoder_flags(command, options.encoder, "Encoder", "Encoder that finds candidates");
}

void add_looking(CLI::App& command, Options& options) {
  cbir::add_decoder_flags(command, options.decoders);
  command.add_option("--crops", options.identify.crops, "Parts of a picture that are looked at besides the whole")
      ->check(cbir::whole_number(0, 1000))
      ->type_name("N")
      ->capture_default_str();
  command.add_flag("--no-proposals", options.no_proposals, "Look at the picture as a whole alone");
  command
      .add_option("--candidates", options.identify.candidates,
                  "Items that embeddings suggest and whose keypoints are looked at, at most; 0: no embeddings")
      ->check(cbir::whole_number(0, 100'000))
      ->type_name("N")
      ->capture_default_str();
  command
      .add_option("--votes", options.identify.votes,
                  "Items that keypoints vote for and whose keypoints are looked at, at most; 0: no votes")
      ->check(cbir::whole_number(0, 100'000))
      ->type_name("N")
      ->capture_default_str();
  command.add_option("--keypoints", options.setup.keypoints, "Keypoints of a picture or frame, at most")
      ->check(cbir::whole_number(1, 1'000'000))
      ->type_name("N")
      ->capture_default_str();
  command
      .add_option("--max-side", options.setup.max_side,
                  "Pictures or frames whose longer side is longer are made smaller for keypoints; 0: none")
      ->check(cbir::whole_number(0, 1'000'000))
      ->type_name("PIXELS")
      ->capture_default_str();
  command
      .add_option("--matcher", options.setup.matcher, "nn, lighterglue, lightglue or superglue, as the features allow")
      ->type_name("NAME")
      ->capture_default_str();
  command.add_option("--model", options.model, "What lies between an item's picture and its sight")
      ->check(CLI::IsMember({"homography", "affine"}))
      ->capture_default_str();
  add_running(command, options);
}

void add_identify(CLI::App& command, Options& options) {
  add_catalog(command, options);
  command
      .add_option("input", options.names,
                  "Pictures, folders of pictures, videos, cameras (camera:0), streams (rtsp://...)")
      ->type_name("INPUT")
      ->required();
  add_looking(command, options);
  command
      .add_flag("--no-verify", options.no_verify,
                "Go by embeddings alone: the most similar item of each crop, if it is similar enough")
      ->excludes(command.get_option("--matcher"))
      ->excludes(command.get_option("--model"))
      ->excludes(command.get_option("--keypoints"))
      ->excludes(command.get_option("--max-side"))
      ->excludes(command.get_option("--votes"));
  command.add_option("--min-score", options.identify.min_score, "Least score of a finding [the catalogue's]")
      ->type_name("S");
  command.add_option("--format", options.format, "tsv or jsonl")
      ->check(CLI::IsMember({"tsv", "jsonl"}))
      ->capture_default_str();
  command.add_option("-o,--output", options.output, "File to write; -: standard output")
      ->type_name("FILE")
      ->capture_default_str();
  command.add_option("--html", options.html, "Write a page with pictures, frames and boxes, too")->type_name("FILE");
  command.add_flag("--force", options.force, "Replace existing outputs");
  command.add_flag("--timings", options.timings, "Say on standard error what each stage took");
  const char* const video = "Videos";
  CLI::Option* every =
      command
          .add_option("--every", options.every,
                      "Look at every N-th frame; auto: at as many as keep up with the video's own time")
          ->type_name("N|auto")
          ->capture_default_str()
          ->group(video);
  command.add_option("--fps", options.watch.fps, "Look at so many frames of each second")
      ->type_name("F")
      ->excludes(every)
      ->group(video);
  command
      .add_option("--change", options.watch.change,
                  "How much a part of the frame must have changed, in levels of grey, to be looked at again; 0: always")
      ->check(CLI::Range(0., 255.))
      ->type_name("LEVELS")
      ->capture_default_str()
      ->group(video);
  command.add_option("--until", options.watch.until, "Stop after so many seconds of each video")
      ->type_name("SECONDS")
      ->group(video);
  command.add_flag("--summary", options.summary, "Of videos a line an appearance: item, from, to, best frame")
      ->group(video);
  command.add_option("--gap", options.watch.gap, "Seconds that an item may be out of sight within one appearance")
      ->check(CLI::Range(0., 1e6))
      ->type_name("SECONDS")
      ->capture_default_str()
      ->group(video);
}

}  // namespace

int main(int argc, char** argv) {
  cbir::Program program({.name = "cbir-catalog",
                         .summary = "Keeps a catalogue of items, and recognises them in pictures and videos.",
                         .example = "cbir-catalog create shop && cbir-catalog add shop items/ && cbir-catalog identify "
                                    "shop shelf.jpg tour.mp4",
                         .see_also = "cbir-match, cbir-detect, cbir-query, cbir-models"});
  Options options;
  CLI::App& app = program.app();
  app.require_subcommand(1);
  app.fallthrough();  // --verbose and its like may follow the subcommand

  CLI::App& create_command = *app.add_subcommand("create", "Make an empty catalogue");
  add_create(create_command, options);
  CLI::App& add_command = *app.add_subcommand("add", "Add pictures of items");
  add_catalog(add_command, options);
  add_command.add_option("names", options.names, "An item and its pictures; or one folder, whose folders are items")
      ->type_name("ITEM PICTURE...|FOLDER")
      ->required();
  add_running(add_command, options);
  cbir::add_decoder_flags(add_command, options.decoders);
  CLI::App& remove_command = *app.add_subcommand("remove", "Remove items");
  add_catalog(remove_command, options);
  remove_command.add_option("item", options.names, "Items")->type_name("ITEM")->required();
  CLI::App& list_command = *app.add_subcommand("list", "Name the items, with their pictures and keypoints");
  add_catalog(list_command, options);
  list_command.add_option("--format", options.format, "tsv or jsonl")
      ->check(CLI::IsMember({"tsv", "jsonl"}))
      ->capture_default_str();
  CLI::App& identify_command = *app.add_subcommand("identify", "Say which items pictures and videos show, and where");
  add_identify(identify_command, options);
  CLI::App& calibrate_command =
      *app.add_subcommand("calibrate", "Find and store thresholds, on pictures that show none of the items");
  add_catalog(calibrate_command, options);
  calibrate_command.add_option("picture", options.names, "Pictures, or folders of them")->required();
  calibrate_command
      .add_option("--rate", options.rate, "Share of such pictures in which something may be found all the same")
      ->check(CLI::Range(0., 1.))
      ->capture_default_str();
  add_looking(calibrate_command, options);

  return program.run(argc, argv, [&] {
    validate(options);
    std::unique_ptr<cbir::DecoderProcesses> decoders;
    for (const CLI::App* command : {&add_command, &identify_command, &calibrate_command}) {
      if (!command->parsed()) continue;
      cbir::validate_decoder_flags(*command, options.decoders);
      decoders = cbir::make_decoders(options.decoders);
    }
    options.watch.decode.decoders = decoders.get();
    const cbir::ThreadLimit limit(options.threads);
    if (create_command.parsed()) return create(options);
    if (add_command.parsed()) return add(options, program);
    if (remove_command.parsed()) return remove(options, program);
    if (list_command.parsed()) return list(options);
    if (calibrate_command.parsed()) return calibrate(options, program);
    return identify(options, program);
  });
}
