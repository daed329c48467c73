#pragma once
/// Memory that two processes share, as large as was ever needed. Inside the base module only.

#include <cstddef>

#include <cbir/base/bytes.hpp>
#include <cbir/base/file.hpp>

namespace cbir {

class SharedMemory {
 public:
  /// New memory, which nobody can make smaller: reading what was once seen to be there is safe whatever the other side
  /// does. Throws ResourceLimit.
  SharedMemory();
  /// The other side's.
  explicit SharedMemory(Fd fd) : fd_(std::move(fd)) {}
  ~SharedMemory();
  SharedMemory(SharedMemory&& other) noexcept;
  SharedMemory& operator=(SharedMemory&&) = delete;

  int fd() const noexcept { return fd_.get(); }

  /// `size` bytes to be written. Invalidates what was returned before. Throws ResourceLimit.
  std::byte* reserve(std::size_t size);
  /// The first `size` bytes, which the other side has written; empty if there are not so many.
  Bytes view(std::size_t size);
  /// Gives back what is beyond some megabytes.
  void trim() noexcept;

 private:
  bool map(std::size_t size) noexcept;

  Fd fd_;
  std::byte* data_ = nullptr;
  std::size_t mapped_ = 0;
};

}  // namespace cbir
