/// cbir-index whiten: a whitening learned from vectors.

#include <fmt/format.h>

#include <memory>

#include <cbir/base/file.hpp>
#include <cbir/base/parallel.hpp>
#include <cbir/rerank/vectors.hpp>
#include <cbir/rerank/whitening.hpp>

#include "index.hpp"

namespace cbir::index_tool {
namespace {

struct WhitenOptions {
  std::string source;  // a set or an index
  Output output;
  WhiteningOptions whitening;
  std::size_t threads = 0;  // 0: one a processor
};

CLI::App* add_options(CLI::App& app, WhitenOptions& options) {
  CLI::App& command =
      *app.add_subcommand("whiten", "Learn a PCA whitening for cbir-query and cbir-eval, without labels");
  add_source(command, options.source);
  add_threads(command, options.threads);
  add_output(command, options.output)->description("The whitening to write")->type_name("FILE");
  command.add_option("--dim", options.whitening.dim, "Dimensions that are kept, those of most variance first [all]")
      ->check(whole_number(1, std::uint64_t{1} << 24))
      ->type_name("N");
  command
      .add_option("--shrinkage", options.whitening.shrinkage,
                  "How far dimensions keep what they weigh: 0, all weigh the same; in units of the largest variance")
      ->check(CLI::Range(0., 1e6))
      ->capture_default_str()
      ->type_name("S");
  return &command;
}

ExitCode run(const WhitenOptions& options, const Program& program) {
  const ThreadLimit limit(options.threads);
  const auto& [output, force] = options.output;
  const Vectors vectors = Vectors::load(options.source);
  const Whitening whitening = learn_whitening(vectors, options.whitening);
  refuse_to_replace(output, files_of_vectors(options.source));
  write_whitening(whitening, output, force);
  say(program, fmt::format("rows\t{}\ndim\t{}\nvariance\t{:.4f}\n", whitening.rows, whitening.transform.output_dim(),
                           whitening.kept));
  return ExitCode::ok;
}

}  // namespace

Command add_whiten(Program& program) {
  const auto options = std::make_shared<WhitenOptions>();
  const CLI::App* command = add_options(program.app(), *options);
  return {command, [options, &program] { return run(*options, program); }};
}

}  // namespace cbir::index_tool
