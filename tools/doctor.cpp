/// cbir-doctor: doctored copies of pictures, whose originals a search must find.

#include <fmt/format.h>

#include <CLI/App.hpp>
#include <cstdint>
#include <string>
#include <vector>

#include <cbir/base/log.hpp>
#include <cbir/base/parallel.hpp>
#include <cbir/base/text.hpp>
#include <cbir/cli/program.hpp>
#include <cbir/doctor/doctor.hpp>
#include <cbir/extract/listing.hpp>

namespace {

struct Options {
  std::vector<std::string> paths;  ///< folders to walk, or files
  std::string output;              ///< folder of the copies
  std::uint64_t count = 0;         ///< pictures to choose; 0: all of them
  std::string distractors;         ///< how many of the pictures, or a folder of others, are queries without an original
  std::uint64_t seed = 1;          ///< of the choice, and of what is random in attacks
  std::vector<std::string> attacks;  ///< default: each attack alone, and some that go together
  int quality = 90;                  ///< of the JPEGs
  std::size_t threads = 0;           ///< 0: all processors
  bool all = false;                  ///< every attack for every picture
  bool force = false;                ///< replace copies that exist
  bool list = false;                 ///< name the attacks instead
};

void add_options(CLI::App& app, Options& options) {
  app.add_option("PATH", options.paths, "Pictures, or folders of pictures");
  app.add_option("-o,--output", options.output, "Folder for the copies and their manifest.tsv");
  app.add_option("--count", options.count, "Doctor this many pictures, chosen by --seed; 0: all")
      ->check(cbir::whole_number())
      ->type_name("N")
      ->capture_default_str();
  app.add_option(
         "--distractors", options.distractors,
         "Queries without an original, too: N of the pictures, which are then not to be indexed, or all of FOLDER")
      ->type_name("N|FOLDER");
  app.add_option("--seed", options.seed, "Same seed, same bytes")
      ->check(cbir::whole_number())
      ->type_name("S")
      ->capture_default_str();
  app.add_option("--attacks", options.attacks,
                 "What to do to them, as NAME[:STRENGTH][+NAME...] or all[:STRENGTH], between commas")
      ->delimiter(',')
      ->allow_extra_args(false);
  app.add_flag("--all", options.all, "Every attack for every picture; else attacks take turns");
  app.add_option("--quality", options.quality, "JPEG quality of the copies")
      ->check(cbir::whole_number(1, 100))
      ->type_name("Q")
      ->capture_default_str();
  cbir::add_threads(app, options.threads);
  app.add_flag("--force", options.force, "Replace copies that exist");
  app.add_flag("--list", options.list, "Name the attacks and the default choice, and exit");
}

cbir::ExitCode list_attacks() {
  for (const cbir::Attack& attack : cbir::all_attacks()) fmt::print("{}\t{}\n", attack.name, attack.description);
  for (const cbir::AttackChain& chain : cbir::default_attack_chains()) fmt::print("default\t{}\n", chain.name());
  return cbir::ExitCode::ok;
}

std::string copies(std::uint64_t count) { return fmt::format("{} {}", count, count == 1 ? "copy" : "copies"); }

cbir::DoctorOptions plan(const Options& options) {
  if (options.paths.empty()) throw cbir::UsageError("no PATH given; try cbir-doctor --help");
  if (options.output.empty())
    throw cbir::UsageError("no folder for the copies given: -o FOLDER; try cbir-doctor --help");
  if (options.output == "-")
    throw cbir::UsageError("copies are many files, which do not fit standard output; give a folder");
  cbir::DoctorOptions doctor{.output = options.output,
                             .count = options.count,
                             .distractors = {},
                             .drawn_distractors = 0,
                             .seed = options.seed,
                             .attacks = {},
                             .every_attack = options.all,
                             .quality = options.quality,
                             .force = options.force};
  for (const std::string& text : options.attacks)
    for (cbir::AttackChain& chain : cbir::parse_attacks(text)) doctor.attacks.push_back(std::move(chain));
  if (doctor.attacks.empty()) doctor.attacks = cbir::default_attack_chains();
  return doctor;
}

/// Pictures below the folders; what cannot be one is told in `failed`.
std::vector<std::string> list_pictures(const std::vector<std::string>& folders, std::vector<std::string>& failed) {
  std::vector<std::string> paths;
  for (const cbir::ListedFile& file : cbir::list_paths(folders, {}).files) {
    if (file.problem.empty()) paths.push_back(file.path);
    else failed.push_back(fmt::format("{}: {}", cbir::display_path(file.path), file.problem));
  }
  return paths;
}

cbir::ExitCode run(const Options& options) {
  if (options.list) return list_attacks();
  cbir::DoctorOptions doctor = plan(options);
  const cbir::ThreadLimit limit(options.threads);
  std::vector<std::string> failed;
  const std::vector<std::string> paths = list_pictures(options.paths, failed);
  if (!options.distractors.empty() && !cbir::parse_number(options.distractors, doctor.drawn_distractors)) {
    doctor.distractors = list_pictures({options.distractors}, failed);
    if (doctor.distractors.empty())
      throw cbir::MissingInput(
          fmt::format("{}: no picture to make distractors of", cbir::display_path(options.distractors)));
  }
  const cbir::DoctorReport report = cbir::doctor(paths, doctor);
  failed.insert(failed.end(), report.failed.begin(), report.failed.end());
  for (const std::string& message : failed) cbir::log(cbir::LogLevel::warning, message);
  if (!failed.empty())
    cbir::log(cbir::LogLevel::warning, fmt::format("{} skipped", cbir::counted(failed.size(), "picture")));
  if (const std::uint64_t there = paths.size() - doctor.drawn_distractors; options.count > there)
    cbir::log(cbir::LogLevel::warning,
              fmt::format("{} wanted, but there {} only {}", cbir::counted(options.count, "picture"),
                          there == 1 ? "is" : "are", there));
  if (report.distractors > 0)
    cbir::log(cbir::LogLevel::debug,
              fmt::format("{} have no original; index what {}/database.txt lists, and no other of these pictures",
                          copies(report.distractors), cbir::display_path(options.output)));
  if (report.stale)
    cbir::log(cbir::LogLevel::warning,
              fmt::format("{}: {} of an earlier run {} beside the new ones", cbir::display_path(options.output),
                          copies(report.stale), report.stale == 1 ? "remains" : "remain"));
  cbir::log(cbir::LogLevel::debug,
            fmt::format("{} of {} in {}", copies(report.copies), cbir::counted(report.pictures, "picture"),
                        cbir::display_path(options.output)));
  return failed.empty() ? cbir::ExitCode::ok : cbir::ExitCode::skipped;
}

}  // namespace

int main(int argc, char** argv) {
  cbir::Program program({.name = "cbir-doctor",
                         .summary = "Makes doctored copies of pictures: queries whose answer is known.",
                         .example = "cbir-doctor photos --count 60 --seed 1 -o copies",
                         .see_also = "cbir-extract, cbir-query, cbir-eval"});
  Options options;
  add_options(program.app(), options);
  return program.run(argc, argv, [&] { return run(options); });
}
