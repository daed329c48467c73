// cbir-query: the rows of an index that are most like pictures, texts, vectors or other rows.

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <iostream>
#include <optional>

#include <cbir/base/file.hpp>
#include <cbir/base/log.hpp>
#include <cbir/base/parallel.hpp>
#include <cbir/base/text.hpp>
#include <cbir/cli/html.hpp>
#include <cbir/cli/program.hpp>
#include <cbir/cli/ranking.hpp>
#include <cbir/extract/texts.hpp>
#include <cbir/query/folder.hpp>
#include <cbir/query/query.hpp>
#include <cbir/query/serve.hpp>
#include <cbir/store/set.hpp>

#include "query_options.hpp"

namespace {

using cbir::ExitCode;

constexpr const char* kDefaultModel = "efficientnet-lite0";
constexpr std::size_t kWorthProgress = 32;  // queries

std::vector<std::string> listed_pictures(const QueryToolOptions& options) {
  if (options.files_from.empty()) return options.images;
  std::vector<std::string> paths;
  const std::string text = cbir::read_text(options.files_from);
  for (cbir::ListedFile file : cbir::list_lines(text, options.null ? '\0' : '\n').files)
    paths.push_back(std::move(file.path));
  return paths;
}

std::vector<std::string> listed_texts(const QueryToolOptions& options) {
  for (const std::string& text : options.texts)
    if (const auto problem = cbir::text_problem(text)) throw cbir::UsageError("--text: the text " + *problem);
  std::vector<std::string> texts = options.texts;
  if (!options.text_file.empty())
    for (std::string& text : cbir::read_sound_texts(options.text_file, options.null ? '\0' : '\n'))
      texts.push_back(std::move(text));
  return texts;
}

/// What asks, of items.
struct Items {
  std::vector<std::string> pictures, texts;
  cbir::TextPrompts prompts;
  std::optional<cbir::CombinedQuery> combined;  // all of them as one
};

Items items_of(const QueryToolOptions& options) {
  Items items{.pictures = listed_pictures(options),
              .texts = listed_texts(options),
              .prompts = {options.templates.begin(), options.templates.end()},
              .combined = {}};
  if (items.pictures.empty() && items.texts.empty())
    throw cbir::MissingInput(fmt::format("{}: lists no picture to search for", cbir::display_path(options.files_from)));
  if (!options.combine) return items;
  items.combined.emplace();
  items.combined->prompts = items.prompts;
  for (std::string& path : items.pictures) {
    items.combined->pictures.push_back(cbir::parse_path_term(path));
    path = items.combined->pictures.back().value;
  }
  for (const std::string& text : items.texts) items.combined->texts.push_back(cbir::parse_term(text));
  return items;
}

/// Files that must not be replaced by the answer.
std::vector<std::string> inputs_of(const QueryToolOptions& options, std::vector<std::string> pictures) {
  pictures.push_back(options.index);
  if (!options.files_from.empty()) pictures.push_back(options.files_from);
  if (!options.text_file.empty()) pictures.push_back(options.text_file);
  if (!options.improve.whiten.empty()) pictures.push_back(options.improve.whiten);
  if (!options.vectors.empty()) pictures.push_back(cbir::set_paths(options.vectors).npy);
  return pictures;
}

/// Progress on standard error, once its length is known.
class Progress {
 public:
  Progress(std::string unit, bool shown) : unit_(std::move(unit)), shown_(shown) {}
  void update(std::uint64_t done, std::uint64_t total, std::uint64_t failed) {
    if (!line_) line_.emplace(unit_, total, shown_);
    line_->update(done, failed);
  }

 private:
  std::string unit_;
  bool shown_;
  std::optional<cbir::ProgressLine> line_;
};

std::unique_ptr<cbir::RankingWriter> make_writer(const QueryToolOptions& options, cbir::RankingFormat format,
                                                 const cbir::Index& index, const cbir::Verifier* verifier,
                                                 const cbir::DecodeOptions& decode, cbir::OutputFile& out) {
  switch (format) {
    case cbir::RankingFormat::tsv:
      return cbir::make_tsv_writer(out, options.null);
    case cbir::RankingFormat::jsonl:
      return cbir::make_jsonl_writer(out);
    case cbir::RankingFormat::trec:
      return cbir::make_trec_writer(out, options.tag);
    case cbir::RankingFormat::html:
      break;
  }
  const cbir::IndexInfo& info = index.info();
  return cbir::make_html_writer(out,
                                {.index = options.index,
                                 .encoder = info.encoder,
                                 .metric = std::string(to_string(info.metric)),
                                 .rows = info.rows,
                                 .k = options.k,
                                 .min_score = options.min_score,
                                 .templates = options.templates,
                                 .verified_by = verifier ? verifier->kind().name : ""},
                                {.root = options.root, .decode = decode});
}

/// What is to be said of a finished run besides its rankings.
ExitCode conclude(const QueryToolOptions& options, const cbir::QueryReport& report) {
  using cbir::LogLevel;
  if (report.failed > 0)
    cbir::log(LogLevel::warning,
              fmt::format("{} of {} skipped", report.failed,
                          cbir::counted(report.queries + report.failed, options.serve_stdin        ? "request"
                                                                        : asks_with_texts(options) ? "item"
                                                                                                   : "query picture")));
  if (report.empty > 0) {
    const std::string who = report.queries == 1
                                ? "nothing scores"
                                : fmt::format("for {} of {} queries nothing scores", report.empty, report.queries);
    const std::string best =
        report.best_left_out ? fmt::format("; the best left out scores {}", cbir::format_score(*report.best_left_out))
                             : "";
    cbir::log(LogLevel::warning, fmt::format("{} {} or more{}", who, *options.min_score, best));
  }
  const auto mean = [&](std::uint64_t count) {
    return static_cast<double>(count) / static_cast<double>(std::max<std::uint64_t>(report.counts.queries, 1));
  };
  cbir::log(LogLevel::debug, fmt::format("a query compared {:.0f} rows by their codes and {:.0f} exactly",
                                         mean(report.counts.compared), mean(report.counts.scored)));
  return report.failed > 0 ? ExitCode::skipped : ExitCode::ok;
}

/// The folder's index, made or refreshed if need be.
cbir::FolderIndex folder_index(const cbir::Program& program, const QueryToolOptions& options,
                               const cbir::DecodeOptions& decode, const cbir::EncoderChoice& encoder) {
  Progress progress("pictures indexed", program.shows_progress());
  cbir::FolderIndex folder =
      cbir::refresh_folder_index(options.index, encoder, {.decode = decode},
                                 [&](auto done, auto total, auto failed) { progress.update(done, total, failed); });
  if (folder.failed > 0)
    cbir::log(cbir::LogLevel::warning,
              fmt::format("{}: {} could not be read; listed in {}", cbir::display_path(options.index),
                          cbir::counted(folder.failed, "picture"), cbir::display_path(folder.failures)));
  return folder;
}

std::vector<std::uint64_t> asking_rows(const QueryToolOptions& options, const cbir::Index& index,
                                       const cbir::PathPrefix& prefix) {
  std::vector<std::uint64_t> positions;
  for (const std::uint64_t id : options.rows) positions.push_back(cbir::position_of_id(index, id));
  for (const std::string& path : options.paths) positions.push_back(cbir::position_of_path(index, prefix.undo(path)));
  return positions;
}

/// The rows that may be found, if not all may.
std::optional<cbir::RowFilter> filter_of(const QueryToolOptions& options, const cbir::Index& index) {
  if (options.where.empty()) return std::nullopt;
  std::optional<cbir::RowFilter> filter = index.filter(options.where);
  if (filter->passing() == 0)
    cbir::log(cbir::LogLevel::warning,
              fmt::format("{}: no row has such a {}, so nothing can be found", cbir::display_path(options.index),
                          options.where.globs.empty()    ? "label"
                          : options.where.labels.empty() ? "path"
                                                         : "label and path"));
  return filter;
}

/// Answers the request, ranking by ranking. `encoder` is used for pictures and texts only.
cbir::QueryReport answer(const cbir::Program& program, const QueryToolOptions& options, Request request,
                         const Items& items, const cbir::Index& index,
                         const std::optional<cbir::EncoderChoice>& encoder, const cbir::DecodeOptions& decode,
                         const cbir::QueryOptions& plan, cbir::RankingWriter& writer) {
  const bool mixes = options.output == "-" && isatty(STDOUT_FILENO) == 1;  // rankings and progress on one terminal
  Progress progress("queries", program.shows_progress() && !mixes);
  std::uint64_t done = 0, failed = 0, total = 0;
  const auto sink = [&](const cbir::Ranking& ranking) {
    writer.write(ranking);
    if (total >= kWorthProgress) progress.update(++done + failed, total, failed);
  };
  const auto skip = [&](const cbir::FailedItem& item) {
    ++failed;
    cbir::log(cbir::LogLevel::warning, fmt::format("{}: skipped: {}", cbir::display_path(item.path), item.reason));
  };
  if (request == Request::items) {
    total = items.pictures.size() + items.texts.size();
    const std::unique_ptr<cbir::Encoder> opened = encoder->open();
    const cbir::ImageQueryOptions images{.decode = decode, .required = items.texts.empty()};
    if (items.combined) return cbir::query_combined(index, *opened, *items.combined, images, plan, sink);
    cbir::QueryReport report;
    if (!items.pictures.empty()) report += cbir::query_images(index, *opened, items.pictures, images, plan, sink, skip);
    if (!items.texts.empty()) report += cbir::query_texts(index, *opened, items.texts, items.prompts, plan, sink);
    return report;
  }
  if (request == Request::vectors) {
    const cbir::EmbeddingSet vectors = cbir::EmbeddingSet::open(options.vectors);
    total = vectors.rows();
    return cbir::query_vectors(index, vectors, options.allow_mismatch, plan, sink);
  }
  const std::vector<std::uint64_t> positions = asking_rows(options, index, plan.prefix);
  total = positions.size();
  return cbir::query_rows(index, positions, plan, sink);
}

/// Answers lines of standard input until there are no more; a line that cannot be answered is said and counted.
cbir::QueryReport serve(const cbir::Index& index, cbir::Server::OpenEncoder open_encoder,
                        const cbir::ServerOptions& plan, cbir::RankingWriter& writer) {
  cbir::Server server(index, std::move(open_encoder), plan);
  cbir::QueryReport report;
  for (std::string line; std::getline(std::cin, line);) {
    try {
      server.answer(line, [&](const cbir::Ranking& ranking) { writer.write(ranking); });
      ++report.queries;
    } catch (const cbir::OutputError&) {
      throw;
    } catch (const cbir::Error& error) {
      ++report.failed;
      writer.write_failure(line, error.what());
      cbir::log(cbir::LogLevel::warning, fmt::format("line {}: {}", report.queries + report.failed, error.what()));
    }
    writer.end_answer();
  }
  return report;
}

ExitCode run(const cbir::Program& program, const CLI::App& app, const std::vector<std::string>& encoder_flags,
             QueryToolOptions options) {
  const bool is_folder = cbir::is_directory(options.index);
  const Request request = request_of(options);
  const cbir::RankingFormat format = cbir::parse_ranking_format(options.format);
  check_usage(app, encoder_flags, options, request, format, is_folder);
  const auto decoders = looks_at_pictures(options, request, format, is_folder)
                            ? cbir::make_decoders(options.decoders, cbir::preprocess_by_bytes)
                            : nullptr;
  const cbir::ThreadLimit limit(options.threads);
  const cbir::DecodeOptions decode{.alpha = options.alpha == "drop" ? cbir::Alpha::drop : cbir::Alpha::white,
                                   .decoders = decoders.get()};
  const Items items = request == Request::items ? items_of(options) : Items{};
  options.encoder.reads_text = !items.texts.empty();

  cbir::refuse_to_replace(options.output, inputs_of(options, items.pictures));
  cbir::OutputFile out(options.output, options.force);
  std::optional<cbir::EncoderChoice> encoder;
  cbir::FolderIndex folder{.path = options.index};
  if (is_folder) {
    if (options.encoder.model.empty()) options.encoder.model = kDefaultModel;
    encoder = cbir::choose_encoder(options.encoder);
    folder = folder_index(program, options, decode, *encoder);
  }
  const cbir::Index index = cbir::Index::open(folder.path, options.check ? cbir::Check::all : cbir::Check::opening);
  if (index.size() == 0)
    cbir::log(cbir::LogLevel::warning,
              fmt::format("{}: no row is left in it, so nothing can be found", cbir::display_path(folder.path)));
  const auto choose = [&] {
    if (!encoder) encoder = cbir::choose_query_encoder(index, options.encoder, options.allow_mismatch);
  };
  if (request == Request::items) choose();

  check_effort(app, index.info());
  options.min_score = min_score_of(options, index);
  const std::optional<cbir::RowFilter> filter = filter_of(options, index);
  std::optional<cbir::ImprovedSearch> improved;
  if (options.improve.any()) improved.emplace(index, options.improve, options.allow_mismatch);
  std::optional<cbir::Verifier> verifier;
  if (auto wanted = verifier_options(options, decode)) {
    wanted->prefix = folder.prefix;
    verifier.emplace(index, *wanted);
  }
  const auto writer = make_writer(options, format, index, verifier ? &*verifier : nullptr, decode, out);
  const cbir::QueryOptions plan{.k = options.k,
                                .min_score = options.min_score,
                                .exclude_self = options.exclude_self,
                                .prefix = folder.prefix,
                                .effort = options.effort,
                                .filter = filter ? &*filter : nullptr,
                                .improved = improved ? &*improved : nullptr,
                                .verifier = verifier ? &*verifier : nullptr};
  const auto open_encoder = [&] {
    choose();
    return encoder->open();
  };
  const cbir::QueryReport report =
      request == Request::served
          ? serve(index, open_encoder, {plan, {.decode = decode}, {options.templates.begin(), options.templates.end()}},
                  *writer)
          : answer(program, options, request, items, index, encoder, decode, plan, *writer);
  writer->finish();
  out.commit();
  const ExitCode code = conclude(options, report);
  if (verifier && verifier->unread() > 0)
    cbir::log(cbir::LogLevel::warning,
              fmt::format("{} could not be looked at and proves nothing, the first: {}",
                          cbir::counted(verifier->unread(), "picture"), verifier->first_unread()));
  return folder.failed > 0 ? ExitCode::skipped : code;
}

}  // namespace

int main(int argc, char** argv) {
  cbir::Program program(
      {.name = "cbir-query",
       .summary = "Searches an index, or a folder of pictures, for what is most like a picture or a text.",
       .example = "cbir-query photos.cbir holiday.jpg -k 20 --format html -o similar.html",
       .see_also = "cbir-index (makes the index), cbir-extract (vectors), cbir-eval (scores of rankings)"});
  QueryToolOptions options;
  const std::vector<std::string> encoder_flags = add_options(program.app(), options);
  return program.run(argc, argv, [&] { return run(program, program.app(), encoder_flags, options); });
}
