#include <cbir/query/folder.hpp>

#include <dirent.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <iterator>

#include <cbir/base/error.hpp>
#include <cbir/base/file.hpp>
#include <cbir/base/hash.hpp>
#include <cbir/base/log.hpp>
#include <cbir/base/text.hpp>

#include "folder_set.hpp"

namespace cbir {
namespace {

std::string cache_folder(const FolderOptions& options) {
  if (!options.cache.empty()) return options.cache;
  if (const char* xdg = std::getenv("XDG_CACHE_HOME"); xdg && *xdg == '/') return std::string(xdg) + "/cbir";
  if (const char* home = std::getenv("HOME"); home && *home) return std::string(home) + "/.cache/cbir";
  throw MissingInput(
      "neither HOME nor XDG_CACHE_HOME is set, so there is no place to keep the index of a folder; set one, "
      "or use cbir-extract and cbir-index");
}

std::string real_path(const std::string& folder) {
  const std::unique_ptr<char, decltype(&std::free)> resolved(realpath(folder.c_str(), nullptr), &std::free);
  if (!resolved) throw MissingInput(fmt::format("{}: no such folder", display_path(folder)));
  return resolved.get();
}

std::string key_of(const std::string& folder, const EncoderChoice& encoder, const DecodeOptions& decode) {
  std::string text = folder;
  text += '\0';
  text += fmt::format("{} {} {} {} {} {}", encoder.fingerprint, encoder.options.precision, encoder.options.device,
                      static_cast<int>(decode.alpha), decode.max_pixels, decode.accept_truncated);
  constexpr std::size_t kDigits = 32;
  return sha256(text).substr(0, kDigits);
}

std::string with_slash(std::string folder) {
  while (folder.ends_with('/')) folder.pop_back();
  return folder + '/';
}

/// Indexes of what the folder once was. A reader that has one mapped keeps it.
void remove_other_indexes(const std::string& folder, const std::string& keep) {
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(folder, error))
    if (entry.path().extension() == ".cbir" && entry.path() != keep) unlink(entry.path().c_str());
}

/// Whether the index is there and answers. What is kept can be made again, so damage to it is no error.
bool is_usable(const std::string& index, const SetPaths& set) {
  if (!exists(index)) return false;
  try {
    Index::open(index);
    parse_manifest(read_text(set.manifest), set.manifest);
    return true;
  } catch (const Error& error) {
    log(LogLevel::warning,
        fmt::format("what was kept of the folder cannot be used and is made again: {}", error.what()));
    unlink(index.c_str());
    return false;
  }
}

void refresh(const std::string& cache, const std::string& index, const Listing& listing, const Stamps& stamps,
             const EncoderChoice& encoder, const FolderOptions& options, const FolderProgress& progress,
             FolderIndex& result) {
  const FileLock lock(cache + "/lock");
  if (exists(index)) return;  // another run was faster
  const FolderSet set(cache);
  const FolderUpdate update = set.update(listing, stamps, encoder, options.decode, progress);
  result.extracted = update.extracted;
  result.reused = update.reused;
  build_index({set.name()}, index, {.force = true});
  write_file(cache + "/stamps", stamps.text(), true);
  set.clean_up();
  remove_other_indexes(cache, index);
  log(LogLevel::debug, fmt::format("{} extracted, {} taken over, {} failed", counted(update.extracted, "picture"),
                                   update.reused, update.failed));
}

}  // namespace

FolderIndex refresh_folder_index(const std::string& folder, const EncoderChoice& encoder, const FolderOptions& options,
                                 const FolderProgress& progress) {
  const std::string real = real_path(folder);
  const std::string cache = fmt::format("{}/folders/{}", cache_folder(options), key_of(real, encoder, options.decode));
  make_directories(cache);
  if (!exists(cache + "/folder")) write_file(cache + "/folder", real + "\n", true);

  const Listing listing = list_paths({real}, {});
  const Stamps stamps = Stamps::of(listing);
  FolderIndex result;
  result.path = fmt::format("{}/{}.cbir", cache, hex(xxh3(as_bytes(stamps.text()))));
  result.prefix = {.from = with_slash(real), .to = with_slash(folder)};
  log(LogLevel::debug, fmt::format("{}: {} listed, {} passed over; the index is kept in {}", display_path(folder),
                                   counted(listing.files.size(), "picture"), listing.ignored, display_path(cache)));
  const SetPaths paths = set_paths(cache + "/pictures");
  if (is_usable(result.path, paths)) {
    log(LogLevel::debug, fmt::format("{}: unchanged since it was indexed", display_path(folder)));
  } else {
    refresh(cache, result.path, listing, stamps, encoder, options, progress, result);
  }
  result.failed = parse_manifest(read_text(paths.manifest), paths.manifest).failed;
  result.failures = paths.failed;
  return result;
}

}  // namespace cbir
