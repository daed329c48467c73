#include <cbir/base/file.hpp>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <memory>
#include <span>
#include <string_view>

#include <cbir/base/error.hpp>
#include <cbir/base/hash.hpp>
#include <cbir/base/text.hpp>

namespace cbir {
namespace {

std::string reason() { return std::strerror(errno); }

struct stat status_of(const Fd& fd, const std::string& path) {
  struct stat status {};
  if (fstat(fd.get(), &status) != 0)
    throw MissingInput(fmt::format("{}: cannot be examined: {}", display_path(path), reason()));
  if (!S_ISREG(status.st_mode))
    throw MissingInput(fmt::format("{}: a regular file was expected, found a {}", display_path(path), kind_of(status)));
  return status;
}

std::string read_stream(int fd, const std::string& path) {
  std::string text;
  struct stat status {};
  if (fstat(fd, &status) == 0 && S_ISREG(status.st_mode)) text.reserve(static_cast<std::size_t>(status.st_size));
  char block[1 << 16];
  for (;;) {
    const ssize_t count = read(fd, block, sizeof block);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) throw MissingInput(fmt::format("{}: cannot be read: {}", display_path(path), reason()));
    if (count == 0) return text;
    text.append(block, static_cast<std::size_t>(count));
  }
}

void lock(const Fd& fd, const std::string& path) {
  if (flock(fd.get(), LOCK_EX | LOCK_NB) == 0) return;
  if (errno == EWOULDBLOCK)
    throw Locked(fmt::format("{}: locked by another run; wait for it to end", display_path(path)));
  throw OutputError(fmt::format("{}: cannot be locked: {}", display_path(path), reason()));
}

constexpr std::size_t kWriteBuffer = 1 << 20;

}  // namespace

std::string kind_of(const struct stat& status) {
  if (S_ISDIR(status.st_mode)) return "folder";
  if (S_ISFIFO(status.st_mode)) return "FIFO";
  if (S_ISSOCK(status.st_mode)) return "socket";
  return S_ISREG(status.st_mode) ? "regular file" : "device";
}

Fd& Fd::operator=(Fd&& other) noexcept {
  if (this != &other) {
    reset();
    fd_ = std::exchange(other.fd_, -1);
  }
  return *this;
}

void Fd::reset() noexcept {
  if (fd_ >= 0) close(fd_);
  fd_ = -1;
}

Fd open_input(const std::string& path) {
  // O_NONBLOCK: opening a FIFO without a writer must not hang; it changes nothing for regular files.
  Fd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!fd) throw MissingInput(fmt::format("{}: cannot be opened: {}", display_path(path), reason()));
  return fd;
}

std::uint64_t regular_size(const Fd& fd, const std::string& path) {
  return static_cast<std::uint64_t>(status_of(fd, path).st_size);
}

std::vector<std::byte> read_at(const Fd& fd, std::uint64_t offset, std::size_t bytes, const std::string& path) {
  std::vector<std::byte> data(bytes);
  std::size_t done = 0;
  while (done < bytes) {
    const ssize_t count = pread(fd.get(), data.data() + done, bytes - done, static_cast<off_t>(offset + done));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) throw MissingInput(fmt::format("{}: cannot be read: {}", display_path(path), reason()));
    if (count == 0) break;
    done += static_cast<std::size_t>(count);
  }
  data.resize(done);
  return data;
}

std::vector<std::byte> read_file(const std::string& path, std::uint64_t max_bytes) {
  const Fd fd = open_input(path);
  const struct stat status = status_of(fd, path);
  if (static_cast<std::uint64_t>(status.st_size) > max_bytes)
    throw ResourceLimit(fmt::format("{}: {} is more than the limit of {}", display_path(path),
                                    human_bytes(static_cast<std::uint64_t>(status.st_size)), human_bytes(max_bytes)));
  std::vector<std::byte> data(static_cast<std::size_t>(status.st_size));
  std::size_t done = 0;
  while (done < data.size()) {
    const ssize_t count = read(fd.get(), data.data() + done, data.size() - done);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) throw MissingInput(fmt::format("{}: cannot be read: {}", display_path(path), reason()));
    if (count == 0) break;  // it shrank while being read: what is there is what the caller judges
    done += static_cast<std::size_t>(count);
  }
  data.resize(done);
  return data;
}

std::string read_text(const std::string& path) {
  if (path == "-") return read_stream(STDIN_FILENO, "standard input");
  Fd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));  // may be a pipe: <(command)
  if (!fd) throw MissingInput(fmt::format("{}: cannot be opened: {}", display_path(path), reason()));
  return read_stream(fd.get(), path);
}

bool exists(const std::string& path) {
  struct stat status {};
  return stat(path.c_str(), &status) == 0;
}

bool is_directory(const std::string& path) {
  struct stat status {};
  return stat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode);
}

bool same_file(const std::string& a, const std::string& b) {
  struct stat one {
  }, other{};
  return stat(a.c_str(), &one) == 0 && stat(b.c_str(), &other) == 0 && one.st_dev == other.st_dev &&
         one.st_ino == other.st_ino;
}

void refuse_to_replace(const std::string& output, const std::vector<std::string>& inputs) {
  for (const std::string& input : inputs)
    if (same_file(output, input))
      throw UsageError(fmt::format("{}: is an input, and would be replaced by the output", display_path(output)));
}

std::string parent_path(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string_view::npos) return ".";
  return slash == 0 ? "/" : std::string(path.substr(0, slash));
}

std::string base_name(std::string_view path) { return std::string(path.substr(path.rfind('/') + 1)); }

void make_directories(const std::string& path) {
  std::error_code error;
  std::filesystem::create_directories(path, error);
  if (error) throw OutputError(fmt::format("{}: folder cannot be made: {}", display_path(path), error.message()));
}

MappedFile::MappedFile(const std::string& path) {
  const Fd fd = open_input(path);
  *this = MappedFile(fd, static_cast<std::size_t>(regular_size(fd, path)), path);
}

MappedFile::MappedFile(const Fd& file, std::size_t bytes, std::string path) : path_(std::move(path)), size_(bytes) {
  if (size_ == 0) return;
  void* address = mmap(nullptr, size_, PROT_READ, MAP_SHARED, file.get(), 0);
  if (address == MAP_FAILED)
    throw MissingInput(fmt::format("{}: cannot be mapped into memory: {}", display_path(path_), reason()));
  data_ = static_cast<const std::byte*>(address);
}

MappedFile::~MappedFile() {
  if (data_) munmap(const_cast<std::byte*>(data_), size_);
}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : path_(std::move(other.path_)), data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  return *this;
}

void write_all(int fd, Bytes data, const std::string& name) {
  while (!data.empty()) {
    const ssize_t count = write(fd, data.data(), data.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) throw OutputError(fmt::format("{}: cannot be written: {}", display_path(name), reason()));
    data = data.subspan(static_cast<std::size_t>(count));
  }
}

void write_all_at(int fd, std::uint64_t offset, Bytes data, const std::string& name) {
  while (!data.empty()) {
    const ssize_t count = pwrite(fd, data.data(), data.size(), static_cast<off_t>(offset));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) throw OutputError(fmt::format("{}: cannot be written: {}", display_path(name), reason()));
    data = data.subspan(static_cast<std::size_t>(count));
    offset += static_cast<std::uint64_t>(count);
  }
}

void sync_directory(const std::string& path) {
  const Fd fd(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd || fsync(fd.get()) != 0)
    throw OutputError(fmt::format("{}: folder cannot be synchronised to disk: {}", display_path(path), reason()));
}

OutputFile::OutputFile(std::string path, bool overwrite)
    : path_(std::move(path)), overwrite_(overwrite), direct_(path_ == "-") {
  if (!direct_) open_existing();
  if (direct_) return;
  // A file without a name vanishes with the process, however that ends. Not every file system has them.
  fd_ = Fd(open(parent_path(path_).c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0666));
  if (!fd_) {
    temporary_ = temporary_name();
    fd_ = Fd(open(temporary_.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666));
  }
  if (!fd_) {
    temporary_.clear();
    throw OutputError(fmt::format("{}: cannot be created: {}", display_path(path_), reason()));
  }
  if (mode_ && fchmod(fd_.get(), *mode_) != 0)
    throw OutputError(fmt::format("{}: permissions cannot be kept: {}", display_path(path_), reason()));
}

/// Deals with what is there under the name: refuses it, opens it if it is to be written through, or finds the file that
/// a symbolic link stands for.
void OutputFile::open_existing() {
  struct stat status {};
  if (stat(path_.c_str(), &status) != 0) return;
  if (S_ISDIR(status.st_mode))
    throw OutputError(fmt::format("{}: the name of a file was expected, found a folder", display_path(path_)));
  if (!S_ISREG(status.st_mode)) {
    fd_ = Fd(open(path_.c_str(), O_WRONLY | O_CLOEXEC));
    if (!fd_) throw OutputError(fmt::format("{}: cannot be opened: {}", display_path(path_), reason()));
    direct_ = true;
    return;
  }
  if (!overwrite_) throw OutputError(fmt::format("{}: exists already; --force replaces it", display_path(path_)));
  mode_ = status.st_mode & 07777;
  if (lstat(path_.c_str(), &status) != 0 || !S_ISLNK(status.st_mode)) return;
  const std::unique_ptr<char, decltype(&std::free)> resolved(realpath(path_.c_str(), nullptr), &std::free);
  if (resolved) path_ = resolved.get();
}

OutputFile::~OutputFile() {
  if (!temporary_.empty()) unlink(temporary_.c_str());
}

std::string OutputFile::temporary_name() const {
  static std::atomic<unsigned> counter = 0;
  return fmt::format("{}/.cbir-{}-{}.tmp", parent_path(path_), getpid(), counter++);
}

namespace {

/// A name in the same folder that is this path's own.
std::string passing_name(const std::string& path) {
  const std::string_view name = std::string_view(path).substr(path.rfind('/') + 1);
  return fmt::format("{}/.cbir-{:016x}.tmp", parent_path(path), xxh3_64(std::as_bytes(std::span(name))));
}

}  // namespace

void OutputFile::write(Bytes data) {
  size_ += data.size();
  if (buffer_.size() + data.size() > kWriteBuffer) flush();
  if (data.size() >= kWriteBuffer) {
    write_all(target(), data, name());
  } else {
    buffer_.insert(buffer_.end(), data.begin(), data.end());
  }
}

void OutputFile::refuse_stream() const {
  if (direct_)
    throw OutputError(
        fmt::format("{}: this kind of output can only be written to a regular file", display_path(name())));
}

MappedFile OutputFile::written() {
  refuse_stream();
  flush();
  return MappedFile(fd_, size_, path_);
}

void OutputFile::write_at(std::uint64_t offset, Bytes data) {
  refuse_stream();
  flush();
  write_all_at(fd_.get(), offset, data, path_);
}

void OutputFile::flush() {
  write_all(target(), buffer_, name());
  buffer_.clear();
}

void OutputFile::commit() {
  flush();
  if (direct_) return;
  if (fsync(fd_.get()) != 0)
    throw OutputError(fmt::format("{}: cannot be synchronised to disk: {}", display_path(path_), reason()));
  const auto fail = [&] {
    if (errno == EEXIST) throw OutputError(fmt::format("{}: exists already; --force replaces it", display_path(path_)));
    throw OutputError(fmt::format("{}: cannot be put in place: {}", display_path(path_), reason()));
  };
  const std::string self = fmt::format("/proc/self/fd/{}", fd_.get());
  const auto link_as = [&](const std::string& name) {
    return linkat(AT_FDCWD, self.c_str(), AT_FDCWD, name.c_str(), AT_SYMLINK_FOLLOW) == 0;
  };
  if (!temporary_.empty()) {
    const unsigned flags = overwrite_ ? 0 : RENAME_NOREPLACE;
    if (renameat2(AT_FDCWD, temporary_.c_str(), AT_FDCWD, path_.c_str(), flags) != 0) fail();
  } else if (!overwrite_) {  // a nameless file gets the final name at once
    if (!link_as(path_)) fail();
  } else {
    // It cannot replace another one but by a name in between. That is the same in every run, so that what a killed one
    // left there goes when the next one comes; a lock tells that from a file whose run is about to put it in place.
    const std::string passing = passing_name(path_);
    flock(fd_.get(), LOCK_EX | LOCK_NB);
    for (int waited = 0; !link_as(passing); ++waited) {
      if (errno != EEXIST || waited == 10'000) fail();
      const Fd other(open(passing.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
      if (other && flock(other.get(), LOCK_EX | LOCK_NB) != 0) usleep(1000);
      else unlink(passing.c_str());
    }
    temporary_ = passing;
    if (rename(temporary_.c_str(), path_.c_str()) != 0) fail();
    flock(fd_.get(), LOCK_UN);
  }
  temporary_.clear();
  sync_directory(parent_path(path_));
}

void write_file(const std::string& path, std::string_view content, bool overwrite) {
  OutputFile file(path, overwrite);
  file.write(content);
  file.commit();
}

FileLock::FileLock(const std::string& path) : fd_(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666)) {
  if (!fd_) throw OutputError(fmt::format("{}: lock file cannot be opened: {}", display_path(path), reason()));
  lock(fd_, path);
}

Fd open_locked(const std::string& path, bool writable) {
  for (;;) {
    Fd fd(open(path.c_str(), (writable ? O_RDWR : O_RDONLY) | O_CLOEXEC | O_NONBLOCK));
    if (!fd && (!writable || errno == ENOENT || errno == ENOTDIR || errno == EISDIR))
      throw MissingInput(fmt::format("{}: cannot be opened: {}", display_path(path), reason()));
    if (!fd) throw OutputError(fmt::format("{}: cannot be opened for writing: {}", display_path(path), reason()));
    const struct stat ours = status_of(fd, path);
    lock(fd, path);
    struct stat named {};
    if (stat(path.c_str(), &named) == 0 && named.st_dev == ours.st_dev && named.st_ino == ours.st_ino) return fd;
  }
}

}  // namespace cbir
