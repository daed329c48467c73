/// cbir-index augment: rows averaged with their neighbours, as a new set.

#include <fmt/format.h>

#include <memory>
#include <optional>

#include <cbir/base/parallel.hpp>
#include <cbir/rerank/augment.hpp>

#include "index.hpp"

namespace cbir::index_tool {
namespace {

struct AugmentToolOptions {
  std::string source;  // a set or an index
  Output output;
  AugmentOptions augment;
  std::size_t threads = 0;  // 0: one a processor
};

CLI::App* add_options(CLI::App& app, AugmentToolOptions& options) {
  CLI::App& command =
      *app.add_subcommand("augment", "Average each row with its neighbours, into a new set: better rankings");
  add_source(command, options.source);
  add_threads(command, options.threads);
  add_output(command, options.output)->description("The embedding set to write")->type_name("NAME");
  command.add_option("--neighbours", options.augment.neighbours, "Rows that a row is averaged with, at most")
      ->check(whole_number(1, 10'000))
      ->capture_default_str()
      ->type_name("K");
  command
      .add_option("--iterations", options.augment.iterations,
                  "Averages one after another, whatever the neighbours are like [the more, the more neighbours rows "
                  "have; none if these cannot be relied on]")
      ->check(whole_number(1, 1000))
      ->type_name("N");
  command.add_option("--alpha", options.augment.alpha, "Neighbours weigh their similarity to this power")
      ->check(CLI::Range(0., 100.))
      ->capture_default_str()
      ->type_name("A");
  return &command;
}

/// What became of the rows, for people.
std::string described(const AugmentReport& report) {
  switch (report.left_alone) {
    case LeftAlone::few_rows:
      return "left as they are: too few rows to have neighbours\n";
    case LeftAlone::no_spread:
      return "left as they are: a row lies at the mean of all and has no direction from there\n";
    case LeftAlone::unreliable:
      return fmt::format(
          "left as they are: what is near by one half of the dimensions is not by the other (agreement {:.2f}); "
          "--iterations N augments all the same\n",
          report.agreement);
    case LeftAlone::no:
      break;
  }
  return fmt::format("neighbours\t{}\nmean_neighbours\t{:.1f}\nagreement\t{:.2f}\niterations\t{}\n", report.neighbours,
                     report.mean_neighbours, report.agreement, report.iterations);
}

ExitCode run(const AugmentToolOptions& options, const Program& program) {
  const ThreadLimit limit(options.threads);
  std::optional<ProgressLine> line;
  const auto& [output, force] = options.output;
  const AugmentReport report =
      augment_set(options.source, output, force, options.augment, [&](std::uint64_t done, std::uint64_t rows) {
        if (!line) line.emplace("rows", rows, program.shows_progress());
        line->update(done);
      });
  line.reset();
  say(program, described(report));
  return ExitCode::ok;
}

}  // namespace

Command add_augment(Program& program) {
  const auto options = std::make_shared<AugmentToolOptions>();
  const CLI::App* command = add_options(program.app(), *options);
  return {command, [options, &program] { return run(*options, program); }};
}

}  // namespace cbir::index_tool
