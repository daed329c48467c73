// cbir-index: builds an index out of embedding sets, and says what is in one and whether it is sound.

#include <fmt/format.h>

#include <cbir/base/log.hpp>
#include <cbir/base/parallel.hpp>
#include <cbir/base/text.hpp>
#include <cbir/cli/program.hpp>
#include <cbir/index/index.hpp>
#include <cbir/index/report.hpp>
#include <chrono>

namespace {

struct IndexOptions {
  std::vector<std::string> sets;  // to be indexed
  std::string index;              // to be looked at
  std::string output;             // to be written
  std::string type = "flat";      // exact search
  std::string metric;             // empty: the sets' own, cosine if they name none
  bool force = false;             // replace an existing output
  bool allow_mismatch = false;    // join sets of different encoders
  bool json = false;              // info as JSON
  std::size_t threads = 0;        // 0: one a processor
};

using cbir::ExitCode;

ExitCode build(const IndexOptions& options) {
  cbir::BuildOptions plan{.force = options.force, .allow_mismatch = options.allow_mismatch};
  if (!options.metric.empty()) {
    plan.metric = cbir::parse_metric(options.metric);
    plan.metric_given = true;
  }
  const auto start = std::chrono::steady_clock::now();
  const cbir::BuildReport report = cbir::build_index(options.sets, options.output, plan);
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
  cbir::log(cbir::LogLevel::debug,
            fmt::format("{}: {}, {}, {:.2f} s", cbir::display_path(options.output), cbir::counted(report.rows, "row"),
                        cbir::human_bytes(report.bytes), seconds.count()));
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

void add_output(CLI::App& command, IndexOptions& options) {
  command.add_option("-o,--output", options.output, "The index to write")->type_name("X.cbir")->required();
  command.add_flag("--force", options.force, "Replace an existing file");
}

void add_index(CLI::App& command, IndexOptions& options) {
  command.add_option("index", options.index, "The index")->type_name("X.cbir")->required();
}

}  // namespace

int main(int argc, char** argv) {
  cbir::Program program({.name = "cbir-index",
                         .summary = "Builds the index that cbir-query searches, and checks it.",
                         .example = "cbir-index build photos -o photos.cbir && cbir-index info photos.cbir",
                         .see_also = "cbir-extract (makes the sets), cbir-query (searches), cbir-eval (scores)"});
  IndexOptions options;
  CLI::App& app = program.app();
  app.require_subcommand(1);
  app.fallthrough();  // --verbose and its like may follow the subcommand

  CLI::App& build_command = *app.add_subcommand("build", "Build an index out of one or many embedding sets");
  build_command
      .add_option(
          "sets", options.sets,
          "Sets of cbir-extract (NAME, NAME.npy or NAME.json), any .npy of vectors, or X_Embeddings.npy with its "
          "X_Categories.npy")
      ->type_name("SET")
      ->required();
  add_output(build_command, options);
  build_command.add_option("--type", options.type, "Kind of index: flat is exact")
      ->check(CLI::IsMember({"flat"}))
      ->capture_default_str();
  build_command.add_option("--metric", options.metric, "How vectors are compared [the sets' own, else cosine]")
      ->check(CLI::IsMember({"cosine", "dot", "l2"}));
  build_command.add_flag("--allow-mismatch", options.allow_mismatch, "Join sets of different encoders");
  cbir::add_threads(build_command, options.threads);

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
    const cbir::ThreadLimit limit(options.threads);
    if (build_command.parsed()) return build(options);
    if (info_command.parsed()) return info(options);
    if (verify_command.parsed()) return verify(options);
    return recover(options);
  });
}
