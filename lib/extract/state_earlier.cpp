/// What a state keeps of earlier runs while a set is brought up to date.

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include <cbir/base/error.hpp>
#include <cbir/base/text.hpp>

#include "state.hpp"

namespace cbir {
namespace {

constexpr const char* kPrevious = "previous";
constexpr const char* kSalvaged = "salvaged";

void remove_folder(const std::string& path) {
  std::error_code error;
  std::filesystem::remove_all(path, error);
  if (error) throw OutputError(fmt::format("{}: cannot be removed: {}", display_path(path), error.message()));
}

/// Makes a folder of new files that appears under its name complete or not at all.
class NewFolder {
 public:
  explicit NewFolder(std::string path) : path_(std::move(path)), temporary_(path_ + ".new") {
    remove_folder(temporary_);
    make_directories(temporary_);
  }
  const std::string& temporary() const { return temporary_; }

  /// A second name for a file that nobody changes any more; a copy where the file system knows none.
  void link_file(const std::string& from, const std::string& name) const {
    const std::string to = temporary_ + "/" + name;
    if (link(from.c_str(), to.c_str()) == 0) return;
    const MappedFile file(from);
    write_file(to, as_text(file.bytes()), true);
  }

  void commit() const {
    remove_folder(path_);
    if (rename(temporary_.c_str(), path_.c_str()) != 0)
      throw OutputError(fmt::format("{}: cannot be renamed: {}", display_path(temporary_), std::strerror(errno)));
  }

 private:
  std::string path_, temporary_;
};

std::string conflict(const std::string& folder, const Arguments& arguments,
                     const std::optional<std::string>& arithmetic) {
  const std::string difference =
      describe_difference(without_list(read_arguments(folder + "/arguments")), without_list(arguments));
  if (!difference.empty() || !arithmetic) return difference;
  const std::string path = folder + "/arithmetic", before = exists(path) ? read_text(path) : "";
  if (before == *arithmetic) return "";
  return fmt::format("the network ran in '{}' and comes to '{}' here", display_path(before), *arithmetic);
}

}  // namespace

void State::refuse_foreign_files() const {
  constexpr const char* kForeign = "is of no set that was made here";
  if (exists(paths_.manifest)) {
    if (!finished_set()) throw refuse(paths_.manifest, kForeign);
    return;
  }
  for (const std::string& path : {paths_.npy, paths_.rows, paths_.failed})
    if (exists(path)) throw refuse(path, kForeign);
}

std::optional<Earlier> State::finished_set() const {
  if (!exists(paths_.manifest)) return {};
  const std::string mark = hex(xxh3(read_file(paths_.manifest))) + "\n";
  for (const std::string& folder : {paths_.state, file(kPrevious)}) {
    const std::string path = folder + "/finished";
    if (exists(path) && read_text(path) == mark) return Earlier{.set = paths_.manifest, .folder = folder};
  }
  return {};
}

std::optional<Earlier> State::salvaged() const {
  const std::string folder = file(kSalvaged);
  if (!exists(folder + "/set.json")) return {};
  return Earlier{.set = folder + "/set.json", .folder = folder};
}

std::string State::describe_conflict(const Earlier& earlier, const Arguments& arguments,
                                     const std::optional<std::string>& arithmetic) {
  return conflict(earlier.folder, arguments, arithmetic);
}

std::string State::describe_conflict(const Arguments& arguments, const std::optional<std::string>& arithmetic) const {
  return conflict(paths_.state, arguments, arithmetic);
}

void State::keep_finished() const {
  const auto finished = finished_set();
  if (!finished || finished->folder != paths_.state) return;
  const NewFolder folder(file(kPrevious));
  for (const char* name : {"arguments", "arithmetic", "inputs", "finished"}) folder.link_file(file(name), name);
  folder.commit();
}

void State::salvage(Manifest manifest) {
  resume(read_arguments(file("arguments")), exists(file("arithmetic")) ? read_text(file("arithmetic")) : "", nullptr);
  if (const auto before = salvaged(); before && parse_manifest(read_text(before->set), before->set).rows > counts_.rows)
    return;
  complete(manifest);
  const NewFolder folder(file(kSalvaged));
  const SetPaths set = set_paths("set");
  folder.link_file(part_path(kVectors), set.npy);
  folder.link_file(part_path(kRows), set.rows);
  folder.link_file(part_path(kFailed), set.failed);
  folder.link_file(part_path(kInputs), "inputs");
  for (const char* name : {"arguments", "arithmetic"}) folder.link_file(file(name), name);
  write_file(folder.temporary() + "/" + set.manifest, to_json(manifest), true);
  folder.commit();
}

bool State::leave_unchanged(Manifest manifest) {
  if (!finished_set()) return false;
  complete(manifest);
  const std::string text = to_json(manifest);
  if (read_text(paths_.manifest) != text || read_text(paths_.failed) != read_text(part_path(kFailed))) return false;
  end(text);
  return true;
}

void State::write_stamps(Bytes stamps) const { write_file(part_path(kInputs), as_text(stamps), true); }

void State::drop_earlier() const {
  for (const char* name : {kPrevious, kSalvaged}) remove_folder(file(name));
  unlink(file("changes").c_str());
}

void State::write_changes(const std::string& text) const { write_file(file("changes"), text, true); }

std::string State::read_changes() const { return exists(file("changes")) ? read_text(file("changes")) : ""; }

}  // namespace cbir
