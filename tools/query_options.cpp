#include "query_options.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <initializer_list>

#include <cbir/base/error.hpp>
#include <cbir/base/text.hpp>
#include <cbir/local/local.hpp>

namespace {

constexpr const char* kAuto = "auto";

}  // namespace

bool asks_with_pictures(const QueryToolOptions& options) {
  return !options.images.empty() || !options.files_from.empty();
}

bool asks_with_texts(const QueryToolOptions& options) { return !options.texts.empty() || !options.text_file.empty(); }

Request request_of(const QueryToolOptions& options) {
  const bool items = asks_with_pictures(options) || asks_with_texts(options), vectors = !options.vectors.empty();
  const bool rows = !options.rows.empty() || !options.paths.empty();
  if (options.serve_stdin) {
    if (items + vectors + rows > 0 || options.combine)
      throw cbir::UsageError("with --serve-stdin requests come from standard input alone");
    return Request::served;
  }
  if (items + vectors + rows == 0)
    throw cbir::UsageError(
        "nothing to search for: name pictures, or use --files-from, --text, --text-file, --vectors, --row, --path or "
        "--serve-stdin");
  if (items + vectors + rows > 1 || (!options.images.empty() && !options.files_from.empty()))
    throw cbir::UsageError(
        "pictures, --files-from, --vectors, and --row or --path exclude each other; texts go with pictures only");
  if (options.files_from == "-" && options.text_file == "-")
    throw cbir::UsageError("--files-from and --text-file cannot both read standard input");
  return vectors ? Request::vectors : rows ? Request::rows : Request::items;
}

namespace {

/// Keypoints are of one picture; and what follows the path in a raw record would belong to it.
void check_verify(const QueryToolOptions& options, Request request) {
  if (!options.verify) return;
  if (asks_with_texts(options) || options.combine || request == Request::vectors || request == Request::served)
    throw cbir::UsageError("--verify compares keypoints of pictures: ask with pictures, --files-from, --row or --path");
  if (options.null && options.format == "tsv" && options.files_from.empty())
    throw cbir::UsageError("--verify adds columns behind the path, which -0 has raw: use --format jsonl");
  cbir::require_local_matcher(options.verify_matcher);
  const std::string& name = *options.verify;
  const std::vector<std::string> names = cbir::local_feature_names();
  const bool known = name.empty() || name.ends_with(".local") || name.ends_with(".json") ||
                     std::find(names.begin(), names.end(), name) != names.end();
  if (!known)
    throw cbir::UsageError(
        fmt::format("--verify {}: expected {}, a preset's file.json or a NAME.local; to name none, put --verify behind "
                    "the pictures or before another option",
                    cbir::display_path(name), fmt::join(names, ", ")));
}

}  // namespace

bool looks_at_pictures(const QueryToolOptions& options, Request request, cbir::RankingFormat format, bool folder) {
  return asks_with_pictures(options) || folder || request == Request::served || options.verify.has_value() ||
         format == cbir::RankingFormat::html;
}

void check_usage(const CLI::App& app, const std::vector<std::string>& encoder_flags, const QueryToolOptions& options,
                 Request request, cbir::RankingFormat format, bool folder) {
  const auto demand = [&](bool fits, const char* option, const char* needs) {
    if (!fits && app.count(option) > 0)
      throw cbir::UsageError(fmt::format("{} has no effect without {}", option, needs));
  };
  const bool served = request == Request::served;
  const bool pictures = asks_with_pictures(options) || folder || served, texts = asks_with_texts(options) || served;
  demand(request == Request::rows || served, "--exclude-self", "--row or --path");
  if (served && format == cbir::RankingFormat::html)
    throw cbir::UsageError("--serve-stdin answers as tsv, jsonl or trec, not as a page");
  demand(format == cbir::RankingFormat::html || options.verify, "--root", "--format html or --verify");
  demand(format == cbir::RankingFormat::trec, "--tag", "--format trec");
  const bool lists = !options.files_from.empty() || !options.text_file.empty();
  demand(format == cbir::RankingFormat::tsv || lists, "-0", "--files-from, --text-file or --format tsv");
  demand(texts, "--template", "--text or --text-file");
  demand(request == Request::items, "--combine", "pictures or texts to search for");
  for (const std::string& flag : encoder_flags)
    demand(pictures || texts, flag.c_str(), "pictures or texts to search for");
  demand(pictures || format == cbir::RankingFormat::html, "--alpha", "pictures to search for");
  for (const char* option : {"--isolate", "--decode-timeout"})
    demand(looks_at_pictures(options, request, format, folder), option, "pictures to search for");
  cbir::validate_decoder_flags(app, options.decoders);
  demand(request != Request::rows || !options.improve.whiten.empty(), "--allow-mismatch",
         "pictures, texts, --vectors or --whiten");
  demand(options.improve.expand > 0, "--expand-alpha", "--expand");
  cbir::check_improvements(options.improve);
  for (const char* option : {"--verify-top", "--verify-matcher", "--verify-mirror"})
    demand(options.verify.has_value(), option, "--verify");
  check_verify(options, request);
  if (format == cbir::RankingFormat::html && options.output == "-" && isatty(STDOUT_FILENO) == 1)
    throw cbir::UsageError("a page is nothing for a terminal: name a file for it with -o");
}

std::optional<double> min_score_of(const QueryToolOptions& options, const cbir::Index& index) {
  if (options.min_score_text.empty()) return std::nullopt;
  if (options.min_score_text == kAuto) {
    if (options.improve.center || !options.improve.whiten.empty() || options.improve.expand > 0)
      throw cbir::UsageError(
          "--min-score auto is for scores of the vectors as they are; --center, --whiten and --expand give others, for "
          "which a number must be found");
    if (index.info().cutoff) return index.info().cutoff->score;
    const std::string name = cbir::display_path(index.path());
    throw cbir::Incompatible(
        fmt::format("{}: has no cut-off, which --min-score auto asks for; cbir-eval cutoff {} "
                    "--precision P --store finds one by the rows' labels and stores it",
                    name, name));
  }
  double value = 0;
  cbir::parse_number(options.min_score_text, value);  // which parsing has checked
  return value;
}

std::optional<cbir::VerifierOptions> verifier_options(const QueryToolOptions& options,
                                                      const cbir::DecodeOptions& decode) {
  if (!options.verify) return std::nullopt;
  return cbir::VerifierOptions{.features = *options.verify,
                               .top = options.verify_top,
                               .matcher = options.verify_matcher,
                               .decode = decode,
                               .mirror = options.verify_mirror,
                               .root = options.root};
}

void check_effort(const CLI::App& app, const cbir::IndexInfo& info) {
  const auto demand = [&](const char* flag, std::initializer_list<std::string_view> types) {
    if (app.count(flag) > 0 && std::find(types.begin(), types.end(), info.type) == types.end())
      throw cbir::UsageError(fmt::format("{} has no effect on an index of type {}; it is for {}", flag, info.type,
                                         fmt::join(types.begin(), types.end(), " and ")));
  };
  demand("--probe", {"ivf"});
  demand("--candidates", {"ivf", "lsh"});
  demand("--ef", {"hnsw"});
  if (app.count("--center") + app.count("--whiten") > 0)
    for (const char* flag : {"--exact", "--probe", "--candidates", "--ef"})
      if (app.count(flag) > 0)
        throw cbir::UsageError(
            fmt::format("{} has no effect with --center or --whiten, which compare every row", flag));
  if (app.count("--exact") > 0 && app.count("--probe") + app.count("--candidates") + app.count("--ef") > 0)
    throw cbir::UsageError("--exact compares every row; --probe, --candidates and --ef then have no effect");
}

std::vector<std::string> add_options(CLI::App& app, QueryToolOptions& options) {
  app.add_option("index", options.index,
                 "The index; or a folder of pictures, whose index is then made, kept in the cache and refreshed")
      ->type_name("X.cbir|FOLDER")
      ->required();
  app.add_option("images", options.images, "Pictures to search for")->type_name("IMAGE");

  const auto one_each = [](CLI::Option* option) { return option->allow_extra_args(false); };
  app.add_option("--files-from", options.files_from,
                 "Search for the pictures listed in FILE, one a line; -: standard input")
      ->type_name("FILE")
      ->group("Other requests");
  one_each(app.add_option("--text", options.texts, "Search for what a text says; may be repeated"))
      ->type_name("TEXT")
      ->group("Other requests");
  app.add_option("--text-file", options.text_file, "Search for the texts of FILE, one a line; -: standard input")
      ->type_name("FILE")
      ->group("Other requests");
  one_each(app.add_option("--template", options.templates,
                          "Put each text into this, as 'a photo of a {}'; of several templates the average is taken"))
      ->type_name("TEXT")
      ->group("Other requests");
  app.add_flag("--combine", options.combine,
               "Make one query of all pictures and texts, each weighted by the number after its last ':'")
      ->group("Other requests");
  app.add_option("--vectors", options.vectors,
                 "Search for the rows of a .npy or a set; a query is named by its row, from 0")
      ->type_name("Q.npy")
      ->group("Other requests");
  one_each(app.add_option("--row", options.rows, "Search for a row of the index, by id; may be repeated"))
      ->check(cbir::whole_number())
      ->type_name("N")
      ->group("Other requests");
  one_each(app.add_option("--path", options.paths, "Search for a row of the index, by path; may be repeated"))
      ->type_name("P")
      ->group("Other requests");

  app.add_flag(
         "--serve-stdin", options.serve_stdin,
         "Answer requests from standard input, one a line, until it ends: a picture's path, or a JSON object with "
         "image, text, row, path or vector; an empty record ends each answer")
      ->group("Other requests");

  app.add_option("-k", options.k, "Results a query, at most")
      ->check(cbir::whole_number(1, std::uint64_t{1} << 32))
      ->type_name("N")
      ->capture_default_str()
      ->group("Results");
  app.add_option("--min-score", options.min_score_text,
                 "Leave out what scores less; auto: than the cut-off that cbir-eval cutoff has stored in the index")
      ->check([](const std::string& text) {
        double value = 0;
        const bool fits = text == kAuto || (cbir::parse_number(text, value) && std::isfinite(value));
        return fits ? std::string() : "a finite number or auto expected, found '" + cbir::display_path(text) + "'";
      })
      ->type_name("S|auto")
      ->group("Results");
  app.add_flag("--exclude-self", options.exclude_self,
               "With --row and --path: leave the row itself out (it is in otherwise)")
      ->group("Results");
  app.add_option("--format", options.format, "tsv, jsonl, trec or html")
      ->check(CLI::IsMember({"tsv", "jsonl", "trec", "html"}))
      ->capture_default_str()
      ->group("Results");
  app.add_option("-o,--output", options.output, "Where to write; -: standard output")
      ->type_name("FILE")
      ->capture_default_str()
      ->group("Results");
  app.add_flag("--force", options.force, "Replace an existing file")->group("Results");
  app.add_flag("-0,--null", options.null,
               "NUL ends the lines of --files-from and --text-file and the records of TSV, whose path is then raw")
      ->group("Results");
  app.add_option("--tag", options.tag, "Last column of TREC")->capture_default_str()->group("Results");
  app.add_option("--root", options.root, "Folder below which the index's paths lie now, for the page's thumbnails")
      ->type_name("DIR")
      ->group("Results");

  one_each(app.add_option("--where-label", options.where.labels,
                          "Find only rows with this label; may be repeated, then any of them"))
      ->type_name("L")
      ->group("Results");
  one_each(
      app.add_option("--path-glob", options.where.globs,
                     "Find only rows whose path fits this pattern, in which * stands for anything, '/' too; may be "
                     "repeated, then any of them"))
      ->type_name("GLOB")
      ->group("Results");

  const auto effort = [&](const char* name, std::size_t& value, const char* help) {
    app.add_option(name, value, help)
        ->check(cbir::whole_number(1, std::uint64_t{1} << 32))
        ->type_name("N")
        ->group("Search");
  };
  app.add_flag("--exact", options.effort.exact, "Compare every row, whatever the index has to avoid that")
      ->group("Search");
  effort("--probe", options.effort.probe, "Of an index of type ivf: lists to look at [what the index says]");
  effort("--candidates", options.effort.candidates,
         "Of type ivf or lsh: rows to compare exactly [what the index says]");
  effort("--ef", options.effort.ef, "Of type hnsw: rows to keep in mind [what the index says]");

  app.add_option(
         "--verify", options.verify,
         "Prove results by keypoints, and put those first that show the same thing: features (sift, orb, xfeat, "
         "...) or a NAME.local [X.local beside the index if it is there, else sift]")
      ->expected(0, 1)
      ->type_name("[FEATURES]")
      ->group("Search");
  effort("--verify-top", options.verify_top, "With --verify: so many results are looked at [50]");
  app.add_option("--verify-matcher", options.verify_matcher,
                 "With --verify: nn, lighterglue, lightglue or superglue; or a preset")
      ->type_name("NAME|PRESET.json")
      ->capture_default_str()
      ->group("Search");
  app.add_flag("--verify-mirror", options.verify_mirror,
               "With --verify: where nothing is proved, compare with the query mirrored, too")
      ->group("Search");

  const char* const better = "Better rankings";
  app.add_flag("--center", options.improve.center, "Subtract the mean of the index's vectors; compares every row")
      ->group(better);
  app.add_option("--whiten", options.improve.whiten,
                 "Whiten vectors by what cbir-index whiten learned; compares every row")
      ->type_name("FILE")
      ->group(better);
  app.add_option("--expand", options.improve.expand,
                 "Search again with the mean of the query and the K rows that it found first")
      ->check(cbir::whole_number(1, 10'000))
      ->type_name("K")
      ->group(better);
  app.add_option("--expand-alpha", options.improve.expand_alpha, "Those rows weigh their similarity to this power")
      ->check(CLI::Range(0., 100.))
      ->type_name("A")
      ->capture_default_str()
      ->group(better);

  auto encoder_flags =
      cbir::add_encoder_flags(app, options.encoder, "Encoder",
                              "Encoder (name or PRESET.json) if the index names none, or to index a folder with");
  app.add_option("--alpha", options.alpha, "Transparent pictures: laid on white, or transparency dropped")
      ->check(CLI::IsMember({"white", "drop"}))
      ->capture_default_str()
      ->group("Encoder");
  cbir::add_decoder_flags(app, options.decoders, "Encoder");
  app.add_flag("--allow-mismatch", options.allow_mismatch, "Search with vectors of another encoder than the index's")
      ->group("Encoder");

  app.add_flag("--check", options.check, "Verify the whole index first, however large it is")->group("Running");
  cbir::add_threads(app, options.threads)->group("Running");
  return encoder_flags;
}
