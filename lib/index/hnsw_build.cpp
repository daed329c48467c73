// The one source file that includes hnswlib. Of 0.6.2 and 0.8.0 it uses what both have.

#include "lib/index/hnsw_build.hpp"

#include <fmt/format.h>

// hnswlib fetches one cache line of a point ahead of its comparison. A point has several, and waiting for the others
// would take up half of the time.
#if defined(__SANITIZE_ADDRESS__)
#define NO_MANUAL_VECTORIZATION  // a link past the end of a list is read, to be fetched
#elif defined(__SSE__)
#include <immintrin.h>
namespace {
inline void fetch_point(const char* address) {
  for (std::size_t line = 0; line < 4; ++line) __builtin_prefetch(address + 64 * line);
}
}  // namespace
#undef _mm_prefetch  // compilers have it as a macro where they do not optimise
#define _mm_prefetch(address, hint) fetch_point(address)
#endif
#include <hnswlib/hnswlib.h>
#undef _mm_prefetch

#include <sys/mman.h>
#include <unistd.h>

#include <new>
#include <stdexcept>

#include <cbir/base/error.hpp>
#include <cbir/base/parallel.hpp>

namespace cbir {
namespace {

class PointSpace : public hnswlib::SpaceInterface<float> {
 public:
  PointSpace(std::size_t bytes, PointDistance distance, const void* parameter)
      : bytes_(bytes), distance_(distance), parameter_(parameter) {}

  std::size_t get_data_size() override { return bytes_; }
  hnswlib::DISTFUNC<float> get_dist_func() override { return distance_; }
  void* get_dist_func_param() override { return const_cast<void*>(parameter_); }

 private:
  std::size_t bytes_;
  PointDistance distance_;
  const void* parameter_;
};

using Graph = hnswlib::HierarchicalNSW<float>;

[[noreturn]] void refuse(std::size_t capacity, const char* reason) {
  throw ResourceLimit(fmt::format("a graph over {} rows could not be built: {}", capacity, reason));
}

/// Nodes are visited all over the place: with pages of 4 KiB most visits would miss the translation buffer.
void ask_for_huge_pages(char* memory, std::size_t bytes) {
  const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  const std::size_t head = (page - reinterpret_cast<std::uintptr_t>(memory) % page) % page;
  if (bytes > head + page) madvise(memory + head, (bytes - head) / page * page, MADV_HUGEPAGE);
}

}  // namespace

struct GraphLinker::Impl {
  std::size_t capacity;
  PointSpace space;
  std::unique_ptr<Graph> graph;
};

GraphLinker::GraphLinker(std::size_t capacity, std::size_t point_bytes, PointDistance distance, const void* parameter,
                         const LinkingOptions& options)
    : impl_(new Impl{capacity, PointSpace(point_bytes, distance, parameter), nullptr}) {
  try {
    impl_->graph = std::make_unique<Graph>(&impl_->space, capacity, options.links, options.ef_construction,
                                           static_cast<std::size_t>(options.seed));
    ask_for_huge_pages(impl_->graph->data_level0_memory_, capacity * impl_->graph->size_data_per_element_);
  } catch (const std::bad_alloc&) {
    refuse(capacity, "there is not enough memory");
  } catch (const std::runtime_error& error) {
    refuse(capacity, error.what());
  }
}

GraphLinker::~GraphLinker() = default;

void GraphLinker::add(const void* point, std::uint32_t row) {
  try {
    impl_->graph->addPoint(point, row);
  } catch (const std::bad_alloc&) {
    refuse(impl_->capacity, "there is not enough memory");
  } catch (const std::runtime_error& error) {
    refuse(impl_->capacity, error.what());
  }
}

std::size_t GraphLinker::size() const { return impl_->graph->cur_element_count; }

std::uint32_t GraphLinker::row(std::uint32_t node) const {
  return static_cast<std::uint32_t>(impl_->graph->getExternalLabel(node));
}

const std::byte* GraphLinker::point(std::uint32_t node) const {
  return reinterpret_cast<const std::byte*>(impl_->graph->getDataByInternalId(node));
}

std::size_t GraphLinker::level(std::uint32_t node) const {
  return static_cast<std::size_t>(impl_->graph->element_levels_[node]);
}

std::span<const std::uint32_t> GraphLinker::links(std::uint32_t node, std::size_t level) const {
  hnswlib::linklistsizeint* list =
      level == 0 ? impl_->graph->get_linklist0(node) : impl_->graph->get_linklist(node, static_cast<int>(level));
  return {list + 1, impl_->graph->getListCount(list)};
}

std::uint32_t GraphLinker::entry() const { return impl_->graph->enterpoint_node_; }

std::uint64_t GraphLinker::memory(std::uint64_t capacity, std::size_t point_bytes, std::size_t links) {
  constexpr std::uint64_t kBookkeeping = 128;  // labels and their table, locks, levels, pointers
  const std::uint64_t lowest = (2 * links + 1) * sizeof(std::uint32_t), upper = lowest / (links > 1 ? links - 1 : 1);
  const std::uint64_t visited = 2 * worker_threads();
  return capacity * (lowest + upper + point_bytes + kBookkeeping + visited);
}

}  // namespace cbir
