// Bad luck at a chosen moment, for tests: a library to be preloaded (LD_PRELOAD) that counts the calls that change
// files below a folder, and makes one of them go wrong.
//
//   MOMENTS_FOLDER   calls that concern other files are not counted
//   MOMENTS_COUNTER  a file of 8 bytes in which calls are counted, over all processes of a command
//   MOMENTS_AT       the number of the call that goes wrong, from 1; none: none
//   MOMENTS_HOW      "kill" (SIGKILL before the call), "short" (a write does half of it), or an errno: "ENOSPC", "EIO",
//   "EINTR" MOMENTS_LOG      a file to which the name of the call that went wrong is written; without MOMENTS_AT, those
//   of all calls

#include <dlfcn.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <climits>
#include <csignal>
#include <cstdarg>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace {

enum class Outcome { goes_on, fails, is_short };

struct Plan {
  char folder[PATH_MAX] = {};
  std::size_t folder_size = 0;
  std::atomic<std::uint64_t>* counter = nullptr;
  std::uint64_t at = 0;
  const char* how = "";
  int error = 0;

  Plan() {
    const char* const name = std::getenv("MOMENTS_FOLDER");
    const char* const count = std::getenv("MOMENTS_COUNTER");
    if (name == nullptr || count == nullptr || realpath(name, folder) == nullptr) return;
    folder_size = std::strlen(folder);
    const long fd = syscall(SYS_openat, AT_FDCWD, count, O_RDWR | O_CLOEXEC);
    if (fd < 0) return;
    void* const memory =
        reinterpret_cast<void*>(syscall(SYS_mmap, nullptr, 8, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
    if (memory != MAP_FAILED) counter = static_cast<std::atomic<std::uint64_t>*>(memory);
    syscall(SYS_close, fd);
    if (const char* const number = std::getenv("MOMENTS_AT")) at = std::strtoull(number, nullptr, 10);
    if (const char* const what = std::getenv("MOMENTS_HOW")) how = what;
    error = std::strcmp(how, "ENOSPC") == 0 ? ENOSPC : std::strcmp(how, "EINTR") == 0 ? EINTR : EIO;
  }

  bool below(const char* path) const {
    return std::strncmp(path, folder, folder_size) == 0 && (path[folder_size] == '/' || path[folder_size] == 0);
  }
};

const Plan& plan() {
  static const Plan made;
  return made;
}

bool concerns(int fd) {
  char link[64], path[PATH_MAX];
  std::snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  const ssize_t length = readlink(link, path, sizeof path - 1);
  if (length <= 0) return false;
  path[length] = 0;
  return plan().below(path);
}

bool concerns(int folder, const char* path) {
  if (path == nullptr) return false;
  if (path[0] == '/') return plan().below(path) || std::strncmp(path, "/proc/self/fd/", 14) == 0;
  if (folder != AT_FDCWD) return concerns(folder);
  char here[PATH_MAX];
  return getcwd(here, sizeof here) != nullptr && plan().below(here);
}

void note(const char* name) {
  const char* const log = std::getenv("MOMENTS_LOG");
  if (log == nullptr) return;
  char line[64];
  const int length = std::snprintf(line, sizeof line, "%s\n", name);
  const long fd = syscall(SYS_openat, AT_FDCWD, log, O_WRONLY | O_CREAT | O_APPEND, 0666);
  syscall(SYS_write, fd, line, length);
  syscall(SYS_close, fd);
}

/// Counts a call that changes something; it may not return.
Outcome count(const char* name) {
  const Plan& plan = ::plan();
  if (plan.counter == nullptr) return Outcome::goes_on;
  const bool chosen = plan.counter->fetch_add(1) + 1 == plan.at;
  if (chosen || plan.at == 0) note(name);
  if (!chosen) return Outcome::goes_on;
  if (std::strcmp(plan.how, "kill") == 0) kill(getpid(), SIGKILL);
  if (std::strcmp(plan.how, "short") == 0)
    return std::strstr(name, "write") != nullptr ? Outcome::is_short : Outcome::goes_on;
  errno = plan.error;
  return Outcome::fails;
}

template <typename Function>
Function* real(const char* name) {
  return reinterpret_cast<Function*>(dlsym(RTLD_NEXT, name));
}

bool makes(int flags) { return (flags & (O_CREAT | O_TRUNC)) != 0 || (flags & O_TMPFILE) == O_TMPFILE; }

int open_at(int folder, const char* path, int flags, mode_t mode) {
  if (makes(flags) && concerns(folder, path) && count("open") == Outcome::fails) return -1;
  return static_cast<int>(syscall(SYS_openat, folder, path, flags, mode));
}

mode_t mode_of(int flags, va_list arguments) { return makes(flags) ? va_arg(arguments, mode_t) : 0; }

std::size_t part(std::size_t size, Outcome outcome) {
  return outcome == Outcome::is_short && size > 1 ? size / 2 : size;
}

}  // namespace

extern "C" {

int open(const char* path, int flags, ...) {
  va_list arguments;
  va_start(arguments, flags);
  const mode_t mode = mode_of(flags, arguments);
  va_end(arguments);
  return open_at(AT_FDCWD, path, flags, mode);
}

int open64(const char* path, int flags, ...) {
  va_list arguments;
  va_start(arguments, flags);
  const mode_t mode = mode_of(flags, arguments);
  va_end(arguments);
  return open_at(AT_FDCWD, path, flags, mode);
}

int openat(int folder, const char* path, int flags, ...) {
  va_list arguments;
  va_start(arguments, flags);
  const mode_t mode = mode_of(flags, arguments);
  va_end(arguments);
  return open_at(folder, path, flags, mode);
}

int openat64(int folder, const char* path, int flags, ...) {
  va_list arguments;
  va_start(arguments, flags);
  const mode_t mode = mode_of(flags, arguments);
  va_end(arguments);
  return open_at(folder, path, flags, mode);
}

ssize_t write(int fd, const void* data, size_t size) {
  Outcome outcome = Outcome::goes_on;
  if (concerns(fd) && (outcome = count("write")) == Outcome::fails) return -1;
  return syscall(SYS_write, fd, data, part(size, outcome));
}

ssize_t pwrite(int fd, const void* data, size_t size, off_t offset) {
  Outcome outcome = Outcome::goes_on;
  if (concerns(fd) && (outcome = count("pwrite")) == Outcome::fails) return -1;
  return syscall(SYS_pwrite64, fd, data, part(size, outcome), offset);
}

ssize_t pwrite64(int fd, const void* data, size_t size, off64_t offset) { return pwrite(fd, data, size, offset); }

ssize_t writev(int fd, const struct iovec* parts, int number) {
  if (concerns(fd) && count("writev") == Outcome::fails) return -1;
  return syscall(SYS_writev, fd, parts, number);
}

int fsync(int fd) {
  if (concerns(fd) && count("fsync") == Outcome::fails) return -1;
  return static_cast<int>(syscall(SYS_fsync, fd));
}

int fdatasync(int fd) {
  if (concerns(fd) && count("fdatasync") == Outcome::fails) return -1;
  return static_cast<int>(syscall(SYS_fdatasync, fd));
}

int ftruncate(int fd, off_t length) noexcept {
  if (concerns(fd) && count("ftruncate") == Outcome::fails) return -1;
  return static_cast<int>(syscall(SYS_ftruncate, fd, length));
}

int ftruncate64(int fd, off64_t length) noexcept { return ftruncate(fd, length); }

int posix_fallocate(int fd, off_t offset, off_t length) {
  if (concerns(fd) && count("posix_fallocate") == Outcome::fails) return errno;
  return real<int(int, off_t, off_t)>("posix_fallocate")(fd, offset, length);
}

int posix_fallocate64(int fd, off64_t offset, off64_t length) { return posix_fallocate(fd, offset, length); }

int rename(const char* from, const char* to) noexcept {
  if (concerns(AT_FDCWD, to) && count("rename") == Outcome::fails) return -1;
  return static_cast<int>(syscall(SYS_rename, from, to));
}

int renameat2(int from_folder, const char* from, int to_folder, const char* to, unsigned flags) noexcept {
  if (concerns(to_folder, to) && count("renameat2") == Outcome::fails) return -1;
  return static_cast<int>(syscall(SYS_renameat2, from_folder, from, to_folder, to, flags));
}

int linkat(int from_folder, const char* from, int to_folder, const char* to, int flags) noexcept {
  if (concerns(to_folder, to) && count("linkat") == Outcome::fails) return -1;
  return static_cast<int>(syscall(SYS_linkat, from_folder, from, to_folder, to, flags));
}

int link(const char* from, const char* to) noexcept {
  if (concerns(AT_FDCWD, to) && count("link") == Outcome::fails) return -1;
  return static_cast<int>(syscall(SYS_linkat, AT_FDCWD, from, AT_FDCWD, to, 0));
}

int unlink(const char* path) noexcept {
  if (concerns(AT_FDCWD, path) && count("unlink") == Outcome::fails) return -1;
  return static_cast<int>(syscall(SYS_unlink, path));
}

int unlinkat(int folder, const char* path, int flags) noexcept {
  if (concerns(folder, path) && count("unlinkat") == Outcome::fails) return -1;
  return static_cast<int>(syscall(SYS_unlinkat, folder, path, flags));
}

int mkdir(const char* path, mode_t mode) noexcept {
  if (concerns(AT_FDCWD, path) && count("mkdir") == Outcome::fails) return -1;
  return static_cast<int>(syscall(SYS_mkdir, path, mode));
}

void* mmap(void* address, size_t size, int protection, int flags, int fd, off_t offset) noexcept {
  if (fd >= 0 && concerns(fd) && count("mmap") == Outcome::fails) {
    if (errno != EINTR) errno = ENOMEM;  // which is what mmap reports
    return MAP_FAILED;
  }
  return reinterpret_cast<void*>(syscall(SYS_mmap, address, size, protection, flags, fd, offset));
}

void* mmap64(void* address, size_t size, int protection, int flags, int fd, off64_t offset) noexcept {
  return mmap(address, size, protection, flags, fd, offset);
}
}
