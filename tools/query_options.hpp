#pragma once
// The options of cbir-query, and which of them go together.

#include <optional>
#include <string>
#include <vector>

#include <cbir/cli/decoder_flags.hpp>
#include <cbir/cli/encoder_flags.hpp>
#include <cbir/cli/program.hpp>
#include <cbir/cli/ranking.hpp>
#include <cbir/index/index.hpp>
#include <cbir/query/verifier.hpp>
#include <cbir/rerank/improved_search.hpp>

struct QueryToolOptions {
  std::string index;                   // an index, or a folder of pictures
  std::vector<std::string> images;     // pictures that ask
  std::string files_from;              // a list of them
  std::vector<std::string> texts;      // texts that ask
  std::string text_file;               // a list of them
  std::vector<std::string> templates;  // that they are put into
  bool combine = false;                // all pictures and texts are one query
  std::string vectors;                 // .npy or set whose rows ask
  std::vector<std::uint64_t> rows;     // ids of rows that ask
  std::vector<std::string> paths;      // paths of rows that ask
  bool serve_stdin = false;            // requests come one by one
  std::size_t k = 10;                  // results a query
  std::string min_score_text;          // a number, or "auto": the index's cut-off
  std::optional<double> min_score;     // leave out what scores less; by min_score_of
  bool exclude_self = false;           // leave a row out of its own ranking
  std::string format = "tsv";
  std::string output = "-";
  bool force = false;            // replace an existing output
  bool null = false;             // NUL ends records, of --files-from and of TSV
  std::string tag = "cbir";      // the last column of TREC
  std::string root;              // where pictures lie now, for thumbnails
  cbir::EncoderRequest encoder;  // no model: the index's; of a folder, kDefaultModel
  std::string alpha = "white";   // what transparent pictures are laid on
  cbir::DecoderRequest decoders;
  bool allow_mismatch = false;  // take another encoder than the index's
  bool check = false;           // verify the whole index first
  cbir::RowCriteria where;      // rows that may be found
  cbir::Improvements improve;   // what is done for better rankings
  cbir::SearchEffort effort;    // how far to look; 0: as far as the index says
  std::optional<std::string>
      verify;                   // prove results by keypoints: of these features, or this file; empty: as there are
  std::size_t verify_top = 50;  // so many of them
  std::string verify_matcher = "nn";  // how keypoints are matched
  bool verify_mirror = false;         // look for mirror images, too
  std::size_t threads = 0;            // 0: one a processor
};

enum class Request { items, vectors, rows, served };  // items: pictures and texts

bool asks_with_pictures(const QueryToolOptions& options);
bool asks_with_texts(const QueryToolOptions& options);

/// Whether pictures may have to be decoded: to search for, to index, to prove results by, or for a page.
bool looks_at_pictures(const QueryToolOptions& options, Request request, cbir::RankingFormat format, bool folder);

/// Throws UsageError for none, or several that exclude each other.
Request request_of(const QueryToolOptions& options);

/// Refuses options that would have no effect.
void check_usage(const CLI::App& app, const std::vector<std::string>& encoder_flags, const QueryToolOptions& options,
                 Request request, cbir::RankingFormat format, bool folder);

/// What --min-score says; of "auto" what the index says. Throws Incompatible if it stores no cut-off, UsageError if
/// scores are to be others than those that the cut-off is of.
std::optional<double> min_score_of(const QueryToolOptions& options, const cbir::Index& index);

/// Refuses efforts that mean nothing to an index of this type.
void check_effort(const CLI::App& app, const cbir::IndexInfo& info);

/// What proves results; nothing without --verify.
std::optional<cbir::VerifierOptions> verifier_options(const QueryToolOptions& options,
                                                      const cbir::DecodeOptions& decode);

/// Returns the names of the options about the encoder.
std::vector<std::string> add_options(CLI::App& app, QueryToolOptions& options);
