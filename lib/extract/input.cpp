#include "input.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>

#include <cbir/base/error.hpp>
#include <cbir/base/file.hpp>
#include <cbir/base/text.hpp>
#include <cbir/image/image.hpp>

namespace cbir {
namespace {

constexpr std::size_t kHead = 4096;

std::string reason() { return std::strerror(errno); }

std::int64_t nanoseconds(const struct timespec& time) {
  return static_cast<std::int64_t>(time.tv_sec) * 1'000'000'000 + time.tv_nsec;
}

/// Appends to `data` until it holds `wanted` bytes or the file ends.
void fill(int fd, std::vector<std::byte>& data, std::size_t wanted) {
  std::size_t done = data.size();
  data.resize(wanted);
  while (done < wanted) {
    const ssize_t count = read(fd, data.data() + done, wanted - done);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) throw MissingInput("cannot be read: " + reason());
    if (count == 0) break;
    done += static_cast<std::size_t>(count);
  }
  data.resize(done);
}

/// Looks before it opens: opening a FIFO or a device can do something to it.
Fd open_regular(const std::string& path, struct stat& status) {
  if (stat(path.c_str(), &status) != 0) throw MissingInput("cannot be examined: " + reason());
  if (!S_ISREG(status.st_mode)) throw MissingInput("a regular file was expected, found a " + kind_of(status));
  Fd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!fd) throw MissingInput("cannot be opened: " + reason());
  if (fstat(fd.get(), &status) != 0 || !S_ISREG(status.st_mode)) throw MissingInput("was replaced while being opened");
  return fd;
}

/// The stamp of a file that is about to be read.
Stamp stamp_before_reading(const struct stat& status) {
  constexpr std::int64_t kCoarsest = 2'000'000'000;  // FAT's times of change
  struct timespec now {};
  clock_gettime(CLOCK_REALTIME, &now);
  Stamp stamp = stamp_of(status);
  // Who changes the file now and sets the time back to what it was is beyond this; so an older mtime is enough.
  stamp.fresh = std::min(stamp.mtime, stamp.ctime) > nanoseconds(now) - kCoarsest;
  return stamp;
}

}  // namespace

bool same_file(const Stamp& a, const Stamp& b) { return a.size == b.size && a.inode == b.inode && a.mtime == b.mtime; }

Stamp stamp_of(const struct stat& status) {
  return {.size = static_cast<std::uint64_t>(status.st_size) & (UINT64_MAX >> 1),
          .inode = status.st_ino,
          .mtime = nanoseconds(status.st_mtim),
          .ctime = nanoseconds(status.st_ctim)};
}

Stamp stamp_of(const std::string& path) {
  struct stat status {};
  return stat(path.c_str(), &status) == 0 ? stamp_of(status) : Stamp{};
}

std::vector<std::byte> read_head(const std::string& path, std::size_t wanted) {
  struct stat status {};
  const Fd fd = open_regular(path, status);
  std::vector<std::byte> head;
  fill(fd.get(), head, wanted);
  return head;
}

void read_input(const std::string& path, std::uint64_t max_bytes, InputFile& file) {
  file.stamp = stamp_of(path);
  struct stat status {};
  const Fd fd = open_regular(path, status);
  file.stamp = stamp_before_reading(status);
  if (file.stamp.size == 0) throw MissingInput("the file is empty");
  const auto size = static_cast<std::size_t>(file.stamp.size);
  file.data.reserve(std::min<std::size_t>(size, max_bytes));
  fill(fd.get(), file.data, std::min(size, kHead));
  if (!sniff_format(file.data)) return;
  if (size > max_bytes)
    throw ResourceLimit(fmt::format("{} is more than a picture of the allowed size can take, {}", human_bytes(size),
                                    human_bytes(max_bytes)));
  fill(fd.get(), file.data, size);
}

void read_ahead(const std::string& path) {
  struct stat status {};
  try {
    const Fd fd = open_regular(path, status);
    posix_fadvise(fd.get(), 0, std::min<off_t>(status.st_size, 8 << 20), POSIX_FADV_WILLNEED);
  } catch (const Error&) {  // whoever reads it finds the same, and reports it
  }
}

}  // namespace cbir
