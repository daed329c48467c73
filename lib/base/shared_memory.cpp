#include "shared_memory.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include <cbir/base/error.hpp>
#include <cbir/base/text.hpp>

namespace cbir {
namespace {

constexpr std::size_t kGrain = 1 << 20;
constexpr std::size_t kKept = 8 << 20;

std::size_t rounded(std::size_t size) { return (size + kGrain - 1) / kGrain * kGrain; }

}  // namespace

SharedMemory::SharedMemory() : fd_(memfd_create("cbir-worker", MFD_CLOEXEC | MFD_ALLOW_SEALING)) {
  if (!fd_ || fcntl(fd_.get(), F_ADD_SEALS, F_SEAL_SHRINK) != 0)
    throw ResourceLimit(fmt::format("no memory can be shared with another process: {}", std::strerror(errno)));
}

SharedMemory::~SharedMemory() {
  if (data_) munmap(data_, mapped_);
}

SharedMemory::SharedMemory(SharedMemory&& other) noexcept
    : fd_(std::move(other.fd_)), data_(std::exchange(other.data_, nullptr)), mapped_(std::exchange(other.mapped_, 0)) {}

bool SharedMemory::map(std::size_t size) noexcept {
  if (size <= mapped_) return true;
  void* const memory = data_ ? mremap(data_, mapped_, size, MREMAP_MAYMOVE)
                             : mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd_.get(), 0);
  if (memory == MAP_FAILED) return false;
  data_ = static_cast<std::byte*>(memory);
  mapped_ = size;
  return true;
}

std::byte* SharedMemory::reserve(std::size_t size) {
  const std::size_t wanted = rounded(size);
  struct stat status {};
  const bool large_enough =
      wanted <= mapped_ || (fstat(fd_.get(), &status) == 0 && (static_cast<std::uint64_t>(status.st_size) >= wanted ||
                                                               ftruncate(fd_.get(), static_cast<off_t>(wanted)) == 0));
  if (!large_enough || !map(wanted))
    throw ResourceLimit(
        fmt::format("{} cannot be shared with another process: {}", human_bytes(wanted), std::strerror(errno)));
  return data_;
}

Bytes SharedMemory::view(std::size_t size) {
  if (size > mapped_) {
    struct stat status {};
    if (fstat(fd_.get(), &status) != 0 || static_cast<std::uint64_t>(status.st_size) < size ||
        !map(static_cast<std::size_t>(status.st_size)))
      return {};
  }
  return {data_, size};
}

void SharedMemory::trim() noexcept {
  if (mapped_ > kKept) madvise(data_ + kKept, mapped_ - kKept, MADV_REMOVE);
}

}  // namespace cbir
