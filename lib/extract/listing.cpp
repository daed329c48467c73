#include <cbir/extract/listing.hpp>

#include <dirent.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <optional>

#include <cbir/base/error.hpp>
#include <cbir/base/text.hpp>
#include <cbir/image/image.hpp>

#include "input.hpp"

namespace cbir {
namespace {

struct Entry {
  std::string name;
  unsigned char type;  // DT_REG and so on; DT_UNKNOWN where the file system does not say
};

/// Entries in natural order, without "." and "..". Nothing if the folder cannot be read; errno says why.
std::optional<std::vector<Entry>> read_folder(const std::string& path) {
  const std::unique_ptr<DIR, int (*)(DIR*)> folder(opendir(path.c_str()), closedir);
  if (!folder) return {};
  std::vector<Entry> entries;
  for (;;) {
    errno = 0;
    const dirent* entry = readdir(folder.get());
    if (!entry) break;
    if (std::strcmp(entry->d_name, ".") != 0 && std::strcmp(entry->d_name, "..") != 0)
      entries.push_back({entry->d_name, entry->d_type});
  }
  if (errno != 0) return {};
  std::sort(entries.begin(), entries.end(),
            [](const Entry& a, const Entry& b) { return natural_less(a.name, b.name); });
  return entries;
}

bool matches_any(const std::vector<std::string>& globs, std::string_view path) {
  return std::any_of(globs.begin(), globs.end(), [&](const std::string& glob) { return glob_match(glob, path); });
}

class Walk {
 public:
  Walk(const ListingOptions& options, Listing& listing) : options_(options), listing_(listing) {}

  /// `root` is a folder, as given.
  void start(const std::string& root, const struct stat& status) {
    prefix_ = root.size() + (root.ends_with('/') ? 0 : 1);
    enter(root, status);
  }

 private:
  struct Ancestor {
    dev_t device;
    ino_t inode;
    std::string path;
  };

  void problem(const std::string& path, std::string what) {
    listing_.files.push_back({.path = path, .named = false, .problem = std::move(what)});
  }

  void enter(const std::string& path, const struct stat& status) {
    for (const Ancestor& ancestor : ancestors_)
      if (ancestor.device == status.st_dev && ancestor.inode == status.st_ino)
        return problem(path, fmt::format("a loop: leads back to {}", display_path(ancestor.path)));
    const auto entries = read_folder(path);
    if (!entries) return problem(path, fmt::format("folder cannot be read: {}", std::strerror(errno)));
    ancestors_.push_back({status.st_dev, status.st_ino, path});
    for (const Entry& entry : *entries) visit(path.ends_with('/') ? path + entry.name : path + "/" + entry.name, entry);
    ancestors_.pop_back();
  }

  void visit(const std::string& path, const Entry& entry) {
    if (entry.name.starts_with('.') && !options_.hidden) return;
    if (matches_any(options_.exclude, std::string_view(path).substr(prefix_))) return;
    if (entry.type == DT_REG) return file(path);
    struct stat status {};
    if (stat(path.c_str(), &status) != 0) {  // a dangling link, mostly
      const int error = errno;
      if (!included(path)) return;
      if (has_image_extension(path)) return problem(path, fmt::format("cannot be examined: {}", std::strerror(error)));
      ++listing_.ignored;
      return;
    }
    if (S_ISDIR(status.st_mode)) return enter(path, status);
    if (S_ISREG(status.st_mode)) return file(path);
    ++listing_.ignored;
  }

  bool included(const std::string& path) const {
    return options_.include.empty() || matches_any(options_.include, std::string_view(path).substr(prefix_));
  }

  void file(const std::string& path) {
    if (!included(path)) return;
    if (!has_image_extension(path)) {
      try {
        if (!sniff_format(read_head(path, 64))) {
          ++listing_.ignored;
          return;
        }
      } catch (const Error& error) {  // nobody can say that it is no picture
        return problem(path, error.what());
      }
    }
    listing_.files.push_back({.path = path, .named = false, .problem = {}});
  }

  const ListingOptions& options_;
  Listing& listing_;
  std::size_t prefix_ = 0;  ///< where the path below the root begins
  std::vector<Ancestor> ancestors_;
};

}  // namespace

ListedFile FileList::operator[](std::size_t i) const {
  const std::uint64_t begin = i == 0 ? 0 : ends_[i - 1];
  const auto problem = problems_.find(i);
  return {.path = paths_.substr(begin, ends_[i] - begin),
          .named = named_[i],
          .problem = problem == problems_.end() ? std::string() : problem->second,
          .id = i < parts_.size() ? parts_[i].id : std::string(),
          .box = i < parts_.size() ? parts_[i].box : std::nullopt};
}

void FileList::push_back(const ListedFile& file) {
  if (!file.problem.empty()) problems_.emplace(size(), file.problem);
  if (!file.id.empty() || file.box) {
    parts_.resize(size());
    parts_.push_back({file.id, file.box});
  }
  paths_ += file.path;
  ends_.push_back(paths_.size());
  named_.push_back(file.named);
}

void FileList::reserve(std::size_t files, std::size_t path_bytes) {
  paths_.reserve(path_bytes);
  ends_.reserve(files);
}

Listing list_paths(const std::vector<std::string>& paths, const ListingOptions& options) {
  Listing listing;
  for (const std::string& path : paths) {
    struct stat status {};
    if (stat(path.c_str(), &status) != 0)
      throw MissingInput(fmt::format("{}: {}", display_path(path), std::strerror(errno)));
    if (S_ISDIR(status.st_mode)) {
      Walk(options, listing).start(path, status);
    } else {
      listing.files.push_back({.path = path, .named = true, .problem = {}});
    }
  }
  if (listing.files.empty())
    throw MissingInput(fmt::format(
        "{}: no pictures found{}", paths.empty() ? "no path" : display_path(paths[0]),
        listing.ignored ? fmt::format("; {} passed over, being no pictures", counted(listing.ignored, "file")) : ""));
  return listing;
}

Listing list_lines(std::string_view text, char separator) {
  Listing listing;
  listing.files.reserve(static_cast<std::size_t>(std::count(text.begin(), text.end(), separator)) + 1, text.size());
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(separator), text.size());
    if (end > 0) listing.files.push_back({.path = std::string(text.substr(0, end)), .named = true, .problem = {}});
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return listing;
}

}  // namespace cbir
