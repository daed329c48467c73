/// cbir-match: what two pictures have in common, point by point.

#include <fmt/format.h>
#include <unistd.h>

#include <optional>
#include <string>
#include <vector>

#include <cbir/base/file.hpp>
#include <cbir/base/log.hpp>
#include <cbir/base/parallel.hpp>
#include <cbir/base/text.hpp>
#include <cbir/cli/decoder_flags.hpp>
#include <cbir/cli/matches.hpp>
#include <cbir/cli/program.hpp>
#include <cbir/local/pairs.hpp>

namespace {

struct Options {
  std::vector<std::string> pictures;  // two
  std::string pairs;                  // a file of pairs, or "-"
  cbir::PairOptions match;
  cbir::DecoderRequest decoders;
  std::string model = "homography", alpha = "white", format = "tsv", output = "-";
  std::string html;         // a page, besides
  bool points = false;      // of inliers, in JSON Lines
  bool force = false;       // replace existing outputs
  std::size_t threads = 0;  // 0: one a processor
};

void add_options(CLI::App& app, Options& options) {
  cbir::LocalOptions& local = options.match.local;
  app.add_option("PICTURE", options.pictures, "Two pictures")->expected(2)->type_name("A B");
  app.add_option("--pairs", options.pairs, "Compare many: a TSV with two paths a line; - is standard input")
      ->type_name("FILE");
  app.add_option("--features", local.features, "What is looked for: sift, orb, xfeat, aliked, superpoint; or a preset")
      ->type_name("NAME|PRESET.json")
      ->capture_default_str();
  app.add_option("--matcher", options.match.matcher,
                 "How it is matched: nn, lighterglue, lightglue, superglue; or a preset")
      ->type_name("NAME|PRESET.json")
      ->capture_default_str();
  app.add_option("--model", options.model, "What may lie between the pictures")
      ->check(CLI::IsMember({"homography", "fundamental", "affine"}))
      ->capture_default_str();
  app.add_option("--keypoints", local.keypoints, "Of each picture, at most")
      ->check(cbir::whole_number(1, 100'000))
      ->type_name("N")
      ->capture_default_str();
  app.add_option("--max-side", local.max_side, "Look at pictures no larger than this, in pixels; 0: as they are")
      ->check(cbir::whole_number(0, 100'000))
      ->type_name("N")
      ->capture_default_str();
  app.add_option("--threshold", options.match.verify.threshold, "Pixels that an inlier may be off the model")
      ->check(CLI::Range(.1, 100.))
      ->type_name("PIXELS")
      ->capture_default_str();
  app.add_flag("--mirror", options.match.mirror,
               "Where nothing is proved, compare with the first picture mirrored, too");
  app.add_option("--seed", options.match.verify.seed, "Of the estimation")->check(cbir::whole_number())->type_name("N");
  app.add_option("--alpha", options.alpha, "Transparent pictures: on white, or as if opaque")
      ->check(CLI::IsMember({"white", "drop"}))
      ->capture_default_str();
  cbir::add_decoder_flags(app, options.decoders);
  app.add_option("--format", options.format, "tsv, or jsonl (an object a pair)")
      ->check(CLI::IsMember({"tsv", "jsonl"}))
      ->capture_default_str();
  app.add_flag("--points", options.points, "With --format jsonl: the inliers, in pixels of both pictures");
  app.add_option(
         "-o,--output", options.output,
         "Where to write; of a name that ends in .png or .jpg both pictures with lines between, and the text goes "
         "to standard output; -: standard output")
      ->type_name("FILE")
      ->capture_default_str();
  app.add_option("--html", options.html, "Write a page with the pictures and lines between, too")->type_name("FILE");
  cbir::add_threads(app, options.threads);
  app.add_flag("--force", options.force, "Replace existing files");
}

bool is_jpeg(const std::string& path) { return path.ends_with(".jpg") || path.ends_with(".jpeg"); }

/// Whether the output is to be a picture.
bool draws(const Options& options) { return options.output.ends_with(".png") || is_jpeg(options.output); }

void validate(const CLI::App& app, Options& options) {
  cbir::validate_decoder_flags(app, options.decoders);
  if (options.pictures.empty() == options.pairs.empty())
    throw cbir::UsageError("two pictures, or --pairs, were expected");
  if (draws(options) && !options.pairs.empty())
    throw cbir::UsageError("one picture holds one pair: for --pairs write a page with --html");
  if (options.points && options.format != "jsonl")
    throw cbir::UsageError("--points has no effect without --format jsonl");
  cbir::require_local_matcher(options.match.matcher);
  options.match.verify.model = cbir::parse_geometric_model(options.model);
  options.match.decode.alpha = options.alpha == "drop" ? cbir::Alpha::drop : cbir::Alpha::white;
}

std::vector<cbir::PicturePair> pairs_of(const Options& options) {
  if (!options.pairs.empty()) return cbir::read_picture_pairs(options.pairs);
  return {{options.pictures[0], options.pictures[1]}};
}

/// Files that must not be replaced.
std::vector<std::string> inputs_of(const Options& options, const std::vector<cbir::PicturePair>& pairs) {
  std::vector<std::string> files;
  for (const cbir::PicturePair& pair : pairs) files.insert(files.end(), {pair.a, pair.b});
  if (!options.pairs.empty()) files.push_back(options.pairs);
  return files;
}

void write_picture(const Options& options, const cbir::MatchedPair& pair) {
  const auto picture = [&](const std::string& path) {
    return cbir::decode_image(cbir::read_file(path), options.match.decode);
  };
  constexpr int kQuality = 90;
  const cbir::Image drawn =
      cbir::draw_matches(pair, options.match.verify.model, picture(pair.pair.a), picture(pair.pair.b));
  const auto bytes = is_jpeg(options.output) ? cbir::encode_jpeg(drawn, kQuality) : cbir::encode_png(drawn);
  cbir::write_file(options.output, cbir::as_text(bytes), options.force);
}

cbir::ExitCode run(Options options, cbir::Program& program) {
  validate(program.app(), options);
  const auto decoders = cbir::make_decoders(options.decoders);
  options.match.decode.decoders = decoders.get();
  const cbir::ThreadLimit limit(options.threads);
  const std::vector<cbir::PicturePair> pairs = pairs_of(options);
  const std::vector<std::string> inputs = inputs_of(options, pairs);
  cbir::refuse_to_replace(options.output, inputs);
  cbir::OutputFile out(draws(options) ? "-" : options.output, options.force);
  const cbir::MatchFacts facts{options.match.local.features, options.match.matcher, options.match.verify.model};
  const auto writer = options.format == "jsonl" ? cbir::make_matches_jsonl_writer(out, facts, options.points)
                                                : cbir::make_matches_tsv_writer(out);
  std::optional<cbir::OutputFile> page;
  std::unique_ptr<cbir::MatchesWriter> page_writer;
  if (!options.html.empty()) {
    cbir::refuse_to_replace(options.html, inputs);
    page.emplace(options.html, options.force);
    page_writer = cbir::make_matches_html_writer(*page, facts, {.side = 560, .decode = options.match.decode});
  }
  std::uint64_t done = 0, failed = 0;
  std::string first_problem;
  {
    const bool mixes = options.output == "-" && isatty(STDOUT_FILENO) == 1;
    cbir::ProgressLine line("pairs", pairs.size(), program.shows_progress() && !mixes && pairs.size() > 1);
    cbir::match_pairs(pairs, options.match, [&](const cbir::MatchedPair& pair) {
      writer->write(pair);
      if (page_writer) page_writer->write(pair);
      if (!pair.problem.empty()) {
        ++failed;
        if (first_problem.empty()) first_problem = pair.problem;
        if (pairs.size() > 1) cbir::log(cbir::LogLevel::warning, "skipped: " + pair.problem);
      } else if (draws(options)) {
        write_picture(options, pair);
      }
      line.update(++done, failed);
    });
  }
  if (failed == pairs.size())
    throw cbir::MissingInput(
        failed == 1 ? first_problem
                    : fmt::format("all {} failed, the first: {}", cbir::counted(failed, "pair"), first_problem));
  writer->finish();
  out.commit();
  if (page) {
    page_writer->finish();
    page->commit();
  }
  if (failed == 0) return cbir::ExitCode::ok;
  cbir::log(cbir::LogLevel::warning, fmt::format("{} of {} skipped", failed, cbir::counted(pairs.size(), "pair")));
  return cbir::ExitCode::skipped;
}

}  // namespace

int main(int argc, char** argv) {
  cbir::Program program({.name = "cbir-match",
                         .summary = "Says whether two pictures show the same thing, by their keypoints, and draws it.",
                         .example = "cbir-match box.png box_in_scene.png -o matches.png",
                         .see_also = "cbir-query (--verify), cbir-extract (--local), cbir-doctor"});
  Options options;
  add_options(program.app(), options);
  return program.run(argc, argv, [&] { return run(options, program); });
}
