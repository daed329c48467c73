// The checksums of the container are not looked at in this build (FUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION): what lies
// behind them must hold by itself.
#include <tests/fuzz/target.hpp>
#include <vector>

#include <cbir/base/parallel.hpp>
#include <cbir/index/index.hpp>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace cbir;
  static const ThreadLimit one_thread(1);
  const fuzz::MemoryFile file(fuzz::bytes(data, size));
  fuzz::expect_file_errors([&] { verify_index(file.path()); });
  return fuzz::expect_file_errors([&] {
    const Index index = Index::open(file.path(), Check::all);
    if (index.dim() > 4096) return;
    const std::vector<float> query(index.dim(), 1);
    const auto hits = index.search({query.data(), 1, query.size()}, 3);
    for (const Hit& hit : hits.at(0)) {
      const auto position = index.position_of(hit.id);
      if (!position) continue;
      index.find_path(index.row(*position).path);
      if (index.vector(*position).size() != query.size()) std::abort();
    }
  });
}
