#pragma once
/// Files: reading whole, memory-mapping, replacing atomically, locking.

#include <sys/stat.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <cbir/base/bytes.hpp>

namespace cbir {

/// An owned file descriptor.
class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) : fd_(fd) {}
  ~Fd() { reset(); }
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&& other) noexcept;
  int get() const noexcept { return fd_; }
  explicit operator bool() const noexcept { return fd_ >= 0; }
  void reset() noexcept;

 private:
  int fd_ = -1;
};

/// Opens for reading. Throws MissingInput naming the path and the system's reason.
Fd open_input(const std::string& path);

/// The size of what is open. Throws MissingInput if that is not a regular file.
std::uint64_t regular_size(const Fd& fd, const std::string& path);

/// Up to `bytes` bytes from `offset` on; fewer where the file ends. Throws MissingInput.
std::vector<std::byte> read_at(const Fd& fd, std::uint64_t offset, std::size_t bytes, const std::string& path);

/// The whole content of a regular file. Throws MissingInput if it cannot be read or is not a regular file, and
/// ResourceLimit if it is larger than `max_bytes`.
std::vector<std::byte> read_file(const std::string& path, std::uint64_t max_bytes = UINT64_MAX);

/// As read_file, as text; "-" is standard input.
std::string read_text(const std::string& path);

bool exists(const std::string& path);
bool is_directory(const std::string& path);

/// What a path leads to, for messages: "folder", "FIFO", "regular file", ...
std::string kind_of(const struct stat& status);

/// Whether both names lead to one file that is there.
bool same_file(const std::string& a, const std::string& b);

/// For programs that replace files: throws UsageError if `output` is one of the inputs.
void refuse_to_replace(const std::string& output, const std::vector<std::string>& inputs);

/// "dir/name.ext" -> "dir" ("." if there is none) and "name.ext".
std::string parent_path(std::string_view path);
std::string base_name(std::string_view path);

/// Creates a folder and its parents. Throws OutputError.
void make_directories(const std::string& path);

/// A read-only memory mapping of a regular file. Throws MissingInput.
class MappedFile {
 public:
  MappedFile() = default;
  explicit MappedFile(const std::string& path);
  /// `bytes` of a file that is open for reading; `path` is for messages.
  MappedFile(const Fd& file, std::size_t bytes, std::string path);
  ~MappedFile();
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;

  Bytes bytes() const noexcept { return {data_, size_}; }
  const std::string& path() const noexcept { return path_; }

 private:
  std::string path_;
  const std::byte* data_ = nullptr;
  std::size_t size_ = 0;
};

/// Writes all of `data` at the descriptor's position, going on after short writes and EINTR.
/// Throws OutputError naming `name`.
void write_all(int fd, Bytes data, const std::string& name);

/// As write_all, from `offset` on; the descriptor's position stays.
void write_all_at(int fd, std::uint64_t offset, Bytes data, const std::string& name);

/// fsync of a folder, so that a rename in it lasts. Throws OutputError.
void sync_directory(const std::string& path);

/// A file that appears under its name complete or not at all: written without a name (or, where the file system cannot,
/// under a temporary one) in the same folder, then fsync, rename, fsync of the folder. Destroyed without commit(), or
/// killed, it leaves nothing behind.
/// "-" writes through to standard output, and the name of a pipe or device to that: such a thing is never replaced. Of
/// a symbolic link what it points to is replaced. What takes another file's place may be read and written by whom that
/// could be.
class OutputFile {
 public:
  /// With `overwrite` false an existing file is an OutputError that mentions --force, now and at commit().
  OutputFile(std::string path, bool overwrite);
  ~OutputFile();
  OutputFile(const OutputFile&) = delete;
  OutputFile& operator=(const OutputFile&) = delete;

  void write(Bytes data);
  void write(std::string_view text) { write(as_bytes(text)); }
  /// Overwrites bytes that were written before. For regular files only.
  void write_at(std::uint64_t offset, Bytes data);
  std::uint64_t size() const noexcept { return size_; }
  /// Hands on what is buffered; of a stream, that is when a reader sees it. Throws OutputError.
  void flush();
  /// What was written so far, for reading; stays valid whatever becomes of the file. For regular files only.
  MappedFile written();

  /// Makes the file visible. Throws OutputError, and then nothing has changed.
  void commit();

 private:
  int target() const noexcept { return path_ == "-" ? 1 : fd_.get(); }
  std::string name() const { return path_ == "-" ? "standard output" : path_; }
  void refuse_stream() const;
  void open_existing();
  std::string temporary_name() const;

  std::string path_, temporary_;
  Fd fd_;
  std::vector<std::byte> buffer_;
  std::uint64_t size_ = 0;
  std::optional<mode_t> mode_;  // of the file that is replaced
  bool overwrite_;
  bool direct_ = false;  // written through, as standard output, pipes and devices are
};

/// Writes a whole file through OutputFile.
void write_file(const std::string& path, std::string_view content, bool overwrite);

/// An exclusive advisory lock on `path` (created if missing, left in place), held until destruction or the process's
/// end. Throws Locked if another process or another FileLock holds it.
class FileLock {
 public:
  explicit FileLock(const std::string& path);

 private:
  Fd fd_;
};

/// Opens a file that is there, for reading and, if `writable`, for writing, and locks it exclusively (advisory) until
/// the descriptor is closed. What is locked is what the name means once the lock is held, though the file may be
/// replaced at any time by who holds its lock. Throws MissingInput, OutputError (it may not be written), Locked.
Fd open_locked(const std::string& path, bool writable);

}  // namespace cbir
