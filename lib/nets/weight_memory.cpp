#include "weight_memory.hpp"

#include <sys/mman.h>

#include <algorithm>
#include <cstdlib>
#include <mutex>
#include <new>

namespace cbir::nets {
namespace {

constexpr std::size_t kPage = std::size_t{1} << 21, kChunk = 16 * kPage, kLine = 64;

constexpr std::size_t rounded(std::size_t size, std::size_t unit) { return (size + unit - 1) / unit * unit; }

/// Lives as long as any weights in it. What is not used yet takes no memory.
struct Chunk {
  explicit Chunk(std::size_t bytes) : size(bytes), data(static_cast<std::byte*>(std::aligned_alloc(kPage, bytes))) {
    if (!data) throw std::bad_alloc();
    madvise(data, size, MADV_HUGEPAGE);  // if it cannot be, it is only slower
  }
  ~Chunk() { std::free(data); }
  Chunk(const Chunk&) = delete;
  Chunk& operator=(const Chunk&) = delete;

  std::size_t size, used = 0;
  std::byte* data;
};

}  // namespace

std::shared_ptr<void> weight_memory(std::size_t size) {
  static std::mutex mutex;
  static std::weak_ptr<Chunk> last;
  const std::size_t bytes = rounded(size, kLine);
  const std::lock_guard lock(mutex);
  std::shared_ptr<Chunk> chunk = last.lock();
  if (!chunk || chunk->size - chunk->used < bytes) {
    chunk = std::make_shared<Chunk>(std::max(kChunk, rounded(bytes, kPage)));
    last = chunk;
  }
  std::byte* const begin = chunk->data + chunk->used;
  chunk->used += bytes;
  return {std::move(chunk), begin};
}

}  // namespace cbir::nets
