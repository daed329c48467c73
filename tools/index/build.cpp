/// cbir-index build: an index out of sets.

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <initializer_list>
#include <memory>
#include <string_view>

#include <cbir/base/parallel.hpp>
#include <cbir/index/index.hpp>
#include <cbir/index/report.hpp>

#include "index.hpp"

namespace cbir::index_tool {
namespace {

struct IndexBuildOptions {
  std::vector<std::string> sets;
  Output output;
  BuildOptions build;
  std::string metric;       // empty: the sets' own, cosine if they name none
  std::size_t threads = 0;  // 0: one a processor
};

CLI::App* add_options(CLI::App& app, IndexBuildOptions& options) {
  CLI::App& command = *app.add_subcommand("build", "Build an index out of one or many embedding sets");
  add_sets(command, options.sets);
  add_output(command, options.output);
  BuildOptions& build = options.build;
  command
      .add_option(
          "--type", build.type,
          "flat: exact; ivf: lists of rows that lie together; hnsw: a graph; lsh: random hyperplanes; auto: tries "
          "all and keeps the fastest")
      ->check(CLI::IsMember({"flat", "ivf", "hnsw", "lsh", "auto"}))
      ->capture_default_str();
  command.add_option("--metric", options.metric, "How vectors are compared [the sets' own, else cosine]")
      ->check(CLI::IsMember({"cosine", "dot", "l2"}));
  command.add_flag("--allow-mismatch", build.allow_mismatch, "Join sets of different encoders");
  command.add_flag("--partial", build.partial, "Join parts of a list though some are missing");
  command
      .add_option("--memory", build.memory,
                  "Memory that may be used besides pages of files, as 4G; what takes more ends with status 9 at once")
      ->transform(CLI::AsSizeValue(false))
      ->type_name("BYTES");
  add_threads(command, options.threads);

  const char* const tuning = "Types that are not exact";
  const auto number = [&](const char* name, auto& value, std::uint64_t least, std::uint64_t most, const char* help) {
    command.add_option(name, value, help)->check(whole_number(least, most))->type_name("N")->group(tuning);
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
  return &command;
}

/// Refuses options that would have no effect.
void check_effect(const CLI::App& command, const std::string& type) {
  const auto demand = [&](std::initializer_list<const char*> flags, std::initializer_list<std::string_view> types) {
    for (const char* flag : flags)
      if (command.count(flag) > 0 && std::find(types.begin(), types.end(), type) == types.end())
        throw UsageError(fmt::format("{} has no effect on type {}; it is for {}", flag, type,
                                     fmt::join(types.begin(), types.end(), " and ")));
  };
  demand({"--target-recall", "--seed"}, {"ivf", "hnsw", "lsh", "auto"});
  demand({"--lists", "--probe"}, {"ivf"});
  demand({"--candidates"}, {"ivf", "lsh"});
  demand({"--M", "--ef-construction", "--ef"}, {"hnsw"});
  demand({"--bits"}, {"lsh"});
}

ExitCode run(const IndexBuildOptions& options, const CLI::App& command, const Program& program) {
  BuildOptions plan = options.build;
  check_effect(command, plan.type);
  plan.force = options.output.force;
  if (!options.metric.empty()) {
    plan.metric = parse_metric(options.metric);
    plan.metric_given = true;
  }
  const ThreadLimit limit(options.threads);
  const auto start = std::chrono::steady_clock::now();
  const BuildReport report = build_index(options.sets, options.output.path, plan);
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
  say(program, to_tsv(report, seconds.count()));
  return ExitCode::ok;
}

}  // namespace

Command add_build(Program& program) {
  const auto options = std::make_shared<IndexBuildOptions>();
  const CLI::App* command = add_options(program.app(), *options);
  return {command, [options, command, &program] { return run(*options, *command, program); }};
}

}  // namespace cbir::index_tool
