#include <cbir/base/memory.hpp>

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <utility>

#include <cbir/base/file.hpp>
#include <cbir/base/text.hpp>

namespace cbir {
namespace {

/// The only number in a file; none if it says "max".
std::optional<std::uint64_t> number_in(const std::string& path) {
  std::ifstream file(path);
  std::uint64_t number = 0;
  return file >> number ? std::optional(number) : std::nullopt;
}

/// The number after a name, in a file of lines "name number" or "name: number kB".
std::uint64_t field_in(const std::string& path, const std::string& name) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    if (!line.starts_with(name) || line.size() == name.size() ||
        std::string_view(" :\t").find(line[name.size()]) == std::string_view::npos)
      continue;
    const std::size_t digits = line.find_first_of("0123456789", name.size());
    std::uint64_t number = 0;
    if (digits == std::string::npos) return 0;
    const std::size_t end = line.find_first_not_of("0123456789", digits);
    if (!parse_number(line.substr(digits, end - digits), number)) return 0;
    return line.ends_with("kB") ? number * 1024 : number;
  }
  return 0;
}

/// The two versions of cgroups: how files and fields are called.
struct Version {
  const char *limit, *usage, *inactive, *active, *mapped;
};
constexpr Version kVersion1 = {"memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file",
                               "total_active_file", "total_mapped_file"};
constexpr Version kVersion2 = {"memory.max", "memory.current", "inactive_file", "active_file", "file_mapped"};

/// Which memory cgroup the process is in, and where that one's folder is.
struct Cgroup {
  std::string mount, path;
  const Version* version;
};

std::optional<Cgroup> own_cgroup(const SystemFolders& folders) {
  std::ifstream groups(folders.proc + "/self/cgroup");
  std::optional<Cgroup> found;
  for (std::string line; std::getline(groups, line);) {
    const auto fields = split(line, ':');
    if (fields.size() < 3) continue;
    const std::string path = line.substr(fields[0].size() + fields[1].size() + 2);
    const auto controllers = split(fields[1], ',');
    if (std::ranges::find(controllers, "memory") != controllers.end())
      return Cgroup{folders.cgroups + "/memory", path, &kVersion1};  // in mixed systems version 1 has the memory
    if (fields[0] == "0" && fields[1].empty()) found = Cgroup{folders.cgroups, path, &kVersion2};
  }
  return found;
}

/// What a cgroup's limit leaves; nothing if it has none.
std::optional<AvailableMemory> left_in(const std::string& folder, const std::string& name, const Version& version) {
  constexpr std::uint64_t kNoLimit = std::uint64_t{1} << 60;  // version 1 says a number that no machine has
  const auto limit = number_in(folder + "/" + version.limit);
  if (!limit || *limit >= kNoLimit) return {};
  const std::string stat = folder + "/memory.stat";
  const std::uint64_t files = field_in(stat, version.inactive) + field_in(stat, version.active);
  const std::uint64_t reclaimable = files - std::min(files, field_in(stat, version.mapped));
  const std::uint64_t used = number_in(folder + "/" + version.usage).value_or(0);
  const std::uint64_t held = used - std::min(used, reclaimable);
  return AvailableMemory{*limit - std::min(*limit, held),
                         fmt::format("the cgroup {}, whose limit is {}", display_path(name), human_bytes(*limit))};
}

}  // namespace

std::optional<AvailableMemory> available_memory(const SystemFolders& folders) {
  std::optional<AvailableMemory> least;
  const auto bound = [&](std::optional<AvailableMemory> other) {
    if (other && (!least || other->bytes < least->bytes)) least = std::move(other);
  };
  if (const std::uint64_t machine = field_in(folders.proc + "/meminfo", "MemAvailable"); machine > 0)
    bound(AvailableMemory{machine, "this machine's memory"});
  const auto group = own_cgroup(folders);
  if (!group) return least;
  // In a container the path may be one of the host's, and the container's own cgroup be what is mounted.
  std::string path = group->path;
  if (!is_directory(group->mount + path)) path = "/";
  for (;;) {
    bound(left_in(group->mount + path, path, *group->version));
    if (path == "/" || path.empty()) return least;
    path = parent_path(path);
  }
}

std::uint64_t resident_memory() { return field_in("/proc/self/status", "VmRSS"); }

std::uint64_t peak_resident_memory() { return field_in("/proc/self/status", "VmHWM"); }

bool forget_peak_memory() {
  std::ofstream file("/proc/self/clear_refs");
  file << "5" << std::flush;
  return file.good();
}

namespace {

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
/// Private memory that may be written, resident or not: what RLIMIT_DATA is about.
std::optional<std::uint64_t> data_memory() {
  std::ifstream file("/proc/self/statm");
  std::uint64_t pages = 0;
  for (int i = 0; i < 6; ++i) file >> pages;
  if (!file) return {};
  return pages * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
}
#endif

}  // namespace

void limit_further_memory([[maybe_unused]] std::uint64_t bytes) {
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
  const auto now = data_memory();
  struct rlimit limit {};
  if (!now || getrlimit(RLIMIT_DATA, &limit) != 0) return;
  limit.rlim_cur = std::min<rlim_t>(limit.rlim_max, bytes > RLIM_INFINITY - *now ? RLIM_INFINITY : *now + bytes);
  setrlimit(RLIMIT_DATA, &limit);
#endif
}

MemoryCap::MemoryCap(std::uint64_t bytes) {
  getrlimit(RLIMIT_DATA, &before_);
  limit_further_memory(bytes);
}

MemoryCap::~MemoryCap() { setrlimit(RLIMIT_DATA, &before_); }

MemoryBudget::Part::Part(Part&& other) noexcept
    : budget_(std::exchange(other.budget_, nullptr)), bytes_(other.bytes_) {}

MemoryBudget::Part::~Part() {
  if (!budget_) return;
  const std::lock_guard lock(budget_->mutex_);
  budget_->left_ += bytes_;
  budget_->freed_.notify_all();
}

MemoryBudget::Part& MemoryBudget::Part::operator=(Part&& other) noexcept {
  std::swap(budget_, other.budget_);
  std::swap(bytes_, other.bytes_);
  return *this;
}

std::optional<MemoryBudget::Part> MemoryBudget::take(std::uint64_t bytes) {
  if (bytes > total_) return {};
  std::unique_lock lock(mutex_);
  freed_.wait(lock, [&] { return bytes <= left_; });
  left_ -= bytes;
  return Part(*this, bytes);
}

}  // namespace cbir
