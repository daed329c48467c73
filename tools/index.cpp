// cbir-index: builds an index out of embedding sets, changes it, and says what is in it and whether it is sound.

#include <fmt/format.h>

#include <cbir/base/log.hpp>
#include <cbir/base/parallel.hpp>
#include <cbir/base/text.hpp>
#include <cbir/cli/program.hpp>
#include <cbir/extract/listing.hpp>
#include <cbir/index/index.hpp>
#include <cbir/index/report.hpp>
#include <chrono>

namespace {

struct IndexOptions {
  std::vector<std::string> sets;     // to be indexed
  std::vector<std::string> indexes;  // to be merged
  std::string index;                 // to be looked at or changed
  std::string output;                // to be written
  cbir::BuildOptions build;          // of the index to be built
  std::string metric;                // empty: the sets' own, cosine if they name none
  cbir::RowSelection removed;        // what remove is to remove
  std::string files_from;            // a list of paths to remove
  bool null = false;                 // NUL ends the lines of the list
  bool replace = false;              // rows of the same path give way to what is added
  bool paths_from_ids = false;       // how rows of a bare .npy are called when they are added
  bool force = false;                // replace an existing output
  bool allow_mismatch = false;       // join sets of different encoders
  bool json = false;                 // info as JSON
  bool quiet = false;                // only info and verify print
  std::size_t threads = 0;           // 0: one a processor
};

using cbir::ExitCode;

/// What a command says of its work; not with --quiet.
void say(const IndexOptions& options, const std::string& text) {
  if (!options.quiet) fmt::print("{}", text);
}

/// Refuses options that would have no effect.
void check_build(const CLI::App& command, const std::string& type) {
  const auto demand = [&](std::initializer_list<const char*> flags, std::initializer_list<std::string_view> types) {
    for (const char* flag : flags)
      if (command.count(flag) > 0 && std::find(types.begin(), types.end(), type) == types.end())
        throw cbir::UsageError(fmt::format("{} has no effect on type {}; it is for {}", flag, type,
                                           fmt::join(types.begin(), types.end(), " and ")));
  };
  demand({"--target-recall", "--seed"}, {"ivf", "hnsw", "lsh", "auto"});
  demand({"--lists", "--probe"}, {"ivf"});
  demand({"--candidates"}, {"ivf", "lsh"});
  demand({"--M", "--ef-construction", "--ef"}, {"hnsw"});
  demand({"--bits"}, {"lsh"});
}

ExitCode build(const IndexOptions& options, const CLI::App& command) {
  cbir::BuildOptions plan = options.build;
  check_build(command, plan.type);
  plan.force = options.force;
  plan.allow_mismatch = options.allow_mismatch;
  if (!options.metric.empty()) {
    plan.metric = cbir::parse_metric(options.metric);
    plan.metric_given = true;
  }
  const auto start = std::chrono::steady_clock::now();
  const cbir::BuildReport report = cbir::build_index(options.sets, options.output, plan);
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
  say(options, cbir::to_tsv(report, seconds.count()));
  return ExitCode::ok;
}

ExitCode info(const IndexOptions& options) {
  const cbir::IndexInfo found = cbir::Index::open(options.index).info();
  fmt::print("{}", options.json ? cbir::to_json(found) : cbir::to_tsv(found));
  return ExitCode::ok;
}

ExitCode verify(const IndexOptions& options) {
  const cbir::IndexInfo found = cbir::verify_index(options.index);
  fmt::print("{}", cbir::verdict(options.index, found));
  return ExitCode::ok;
}

ExitCode recover(const IndexOptions& options) {
  const cbir::RecoverReport report = cbir::recover_index(options.index, options.output, options.force);
  fmt::print("{}", cbir::verdict(options.output, report));
  return ExitCode::ok;
}

ExitCode add(const IndexOptions& options) {
  const cbir::ChangeReport report = cbir::add_to_index(
      options.index, options.sets,
      {.replace = options.replace, .allow_mismatch = options.allow_mismatch, .name_by_id = options.paths_from_ids});
  say(options, cbir::verdict(options.index, report));
  return ExitCode::ok;
}

ExitCode remove(const IndexOptions& options) {
  cbir::RowSelection removed = options.removed;
  if (options.null && options.files_from.empty())
    throw cbir::UsageError("-0 is about --files-from, which was not given");
  if (!options.files_from.empty()) {
    const std::string text = cbir::read_text(options.files_from);
    for (cbir::ListedFile file : cbir::list_lines(text, options.null ? '\0' : '\n').files)
      removed.paths.push_back(std::move(file.path));
    if (removed.paths.empty())
      throw cbir::MissingInput(fmt::format("{}: the list is empty", cbir::display_path(options.files_from)));
  }
  if (removed.paths.empty() && removed.labels.empty())
    throw cbir::UsageError("nothing named to remove: give --path, --files-from or --where-label");
  say(options, cbir::verdict(options.index, cbir::remove_from_index(options.index, removed)));
  return ExitCode::ok;
}

ExitCode compact(const IndexOptions& options) {
  const cbir::ChangeReport report = cbir::compact_index(options.index, options.output, options.force);
  say(options, cbir::verdict(options.output.empty() ? options.index : options.output, report));
  return ExitCode::ok;
}

ExitCode merge(const IndexOptions& options) {
  const cbir::MergeReport report = cbir::merge_indexes(
      options.indexes, options.output, {.force = options.force, .allow_mismatch = options.allow_mismatch});
  say(options, cbir::verdict(options.output, report));
  return ExitCode::ok;
}

ExitCode export_set(const IndexOptions& options) {
  const std::uint64_t rows = cbir::export_index(options.index, options.output, options.force);
  say(options, fmt::format("{}: {}\n", cbir::display_path(options.output), cbir::counted(rows, "row")));
  return ExitCode::ok;
}

CLI::Option* add_output(CLI::App& command, IndexOptions& options) {
  command.add_flag("--force", options.force, "Replace an existing file");
  return command.add_option("-o,--output", options.output, "The index to write")->type_name("X.cbir")->required();
}

void add_index(CLI::App& command, IndexOptions& options) {
  command.add_option("index", options.index, "The index")->type_name("X.cbir")->required();
}

void add_sets(CLI::App& command, IndexOptions& options) {
  command
      .add_option(
          "sets", options.sets,
          "Sets of cbir-extract (NAME, NAME.npy or NAME.json), any .npy of vectors, or X_Embeddings.npy with its "
          "X_Categories.npy")
      ->type_name("SET")
      ->required();
}

void add_build(CLI::App& command, IndexOptions& options) {
  add_sets(command, options);
  add_output(command, options);
  cbir::BuildOptions& build = options.build;
  command
      .add_option(
          "--type", build.type,
          "flat: exact; ivf: lists of rows that lie together; hnsw: a graph; lsh: random hyperplanes; auto: tries "
          "all and keeps the fastest")
      ->check(CLI::IsMember({"flat", "ivf", "hnsw", "lsh", "auto"}))
      ->capture_default_str();
  command.add_option("--metric", options.metric, "How vectors are compared [the sets' own, else cosine]")
      ->check(CLI::IsMember({"cosine", "dot", "l2"}));
  command.add_flag("--allow-mismatch", options.allow_mismatch, "Join sets of different encoders");
  command
      .add_option("--memory", build.memory,
                  "Memory that may be used besides pages of files, as 4G; what takes more ends with status 9 at once")
      ->transform(CLI::AsSizeValue(false))
      ->type_name("BYTES");
  cbir::add_threads(command, options.threads);

  const char* const tuning = "Types that are not exact";
  const auto number = [&](const char* name, auto& value, std::uint64_t least, std::uint64_t most, const char* help) {
    command.add_option(name, value, help)->check(cbir::whole_number(least, most))->type_name("N")->group(tuning);
  };
  constexpr std::uint64_t kMany = std::uint64_t{1} << 32;
  command.add_option("--target-recall", build.target_recall, "Share of the 10 nearest rows that searches are to find")
      ->check(CLI::Range(.1, 1.))
      ->capture_default_str()
      ->type_name("R")
      ->group(tuning);
  number("--lists", build.structure.lists, 1, 1 << 20,
         "ivf: lists that rows are divided into [what suits their number]");
  number("--probe", build.effort.probe, 1, 1 << 20, "ivf: lists that a search looks at [found by trial]");
  number("--candidates", build.effort.candidates, 1, kMany,
         "ivf, lsh: rows that a search compares exactly [found by trial]");
  number("--M", build.structure.links, 2, 256, "hnsw: links of a row, twice as many on the lowest level [16]");
  number("--ef-construction", build.structure.ef_construction, 1, 1 << 20,
         "hnsw: rows kept in mind while links are sought");
  number("--ef", build.effort.ef, 1, kMany, "hnsw: rows kept in mind by a search [found by trial]");
  number("--bits", build.structure.bits, 64, 4096, "lsh: hyperplanes, a multiple of 64 [256]");
  number("--seed", build.structure.seed, 0, UINT64_MAX, "Of what is drawn at random [1]");
}

void add_add(CLI::App& command, IndexOptions& options) {
  add_index(command, options);
  add_sets(command, options);
  command.add_flag("--replace", options.replace, "Rows of paths that are there already give way to the new ones");
  command.add_flag("--paths-from-ids", options.paths_from_ids,
                   "Rows of a bare .npy get their ids for paths, not their numbers in it");
  command.add_flag("--allow-mismatch", options.allow_mismatch, "Add vectors of another encoder");
  cbir::add_threads(command, options.threads);
}

void add_remove(CLI::App& command, IndexOptions& options) {
  add_index(command, options);
  const auto one_each = [](CLI::Option* option) { return option->allow_extra_args(false); };
  one_each(command.add_option("--path", options.removed.paths, "Remove the row of this path; may be repeated"))
      ->type_name("P");
  command
      .add_option("--files-from", options.files_from, "Remove the paths listed in FILE, one a line; -: standard input")
      ->type_name("FILE");
  command.add_flag("-0,--null", options.null, "Paths of --files-from end with NUL, not newline");
  one_each(
      command.add_option("--where-label", options.removed.labels, "Remove all rows with this label; may be repeated"))
      ->type_name("L");
}

void add_compact(CLI::App& command, IndexOptions& options) {
  add_index(command, options);
  add_output(command, options)->required(false)->description("Write the new file there [in place of the old one]");
  cbir::add_threads(command, options.threads);
}

void add_merge(CLI::App& command, IndexOptions& options) {
  command.add_option("indexes", options.indexes, "The indexes")->type_name("X.cbir")->required();
  add_output(command, options);
  command.add_flag("--allow-mismatch", options.allow_mismatch, "Join indexes of different encoders");
  cbir::add_threads(command, options.threads);
}

void add_export(CLI::App& command, IndexOptions& options) {
  add_index(command, options);
  add_output(command, options)->description("The embedding set to write")->type_name("NAME");
}

}  // namespace

int main(int argc, char** argv) {
  cbir::Program program({.name = "cbir-index",
                         .summary = "Builds the index that cbir-query searches, changes it, and checks it.",
                         .example = "cbir-index build photos -o photos.cbir && cbir-index info photos.cbir",
                         .see_also = "cbir-extract (makes the sets), cbir-query (searches), cbir-eval (scores)"});
  IndexOptions options;
  CLI::App& app = program.app();
  app.require_subcommand(1);
  app.fallthrough();  // --verbose and its like may follow the subcommand

  CLI::App& build_command = *app.add_subcommand("build", "Build an index out of one or many embedding sets");
  add_build(build_command, options);
  CLI::App& add_command = *app.add_subcommand("add", "Add the rows of embedding sets to an index, in place");
  add_add(add_command, options);
  CLI::App& remove_command = *app.add_subcommand("remove", "Remove rows from an index, in place");
  add_remove(remove_command, options);
  CLI::App& compact_command = *app.add_subcommand("compact", "Rewrite an index as one piece, without what was removed");
  add_compact(compact_command, options);
  CLI::App& merge_command = *app.add_subcommand("merge", "Build one index out of the rows of others");
  add_merge(merge_command, options);
  CLI::App& export_command = *app.add_subcommand("export", "Write the rows of an index as an embedding set");
  add_export(export_command, options);

  CLI::App& info_command = *app.add_subcommand("info", "Say what an index holds");
  add_index(info_command, options);
  info_command.add_flag("--json", options.json, "As one JSON object, the encoder's preset included");

  CLI::App& verify_command = *app.add_subcommand("verify", "Check every byte and every row of an index");
  add_index(verify_command, options);
  cbir::add_threads(verify_command, options.threads);

  CLI::App& recover_command =
      *app.add_subcommand("recover", "Write what is sound of an index with a damaged root record as a new index");
  add_index(recover_command, options);
  add_output(recover_command, options);

  return program.run(argc, argv, [&] {
    options.quiet = program.quiet();
    const cbir::ThreadLimit limit(options.threads);
    if (build_command.parsed()) return build(options, build_command);
    if (add_command.parsed()) return add(options);
    if (remove_command.parsed()) return remove(options);
    if (compact_command.parsed()) return compact(options);
    if (merge_command.parsed()) return merge(options);
    if (export_command.parsed()) return export_set(options);
    if (info_command.parsed()) return info(options);
    if (verify_command.parsed()) return verify(options);
    return recover(options);
  });
}
