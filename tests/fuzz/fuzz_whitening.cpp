// Their checksum is not looked at in this build: what lies behind it must hold by itself.
#include <tests/fuzz/target.hpp>

#include <cbir/base/parallel.hpp>
#include <cbir/rerank/whitening.hpp>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace cbir;
  static const ThreadLimit one_thread(1);
  const fuzz::MemoryFile file(fuzz::bytes(data, size));
  return fuzz::expect_file_errors([&] {
    const Whitening whitening = read_whitening(file.path());
    const Transform& transform = whitening.transform;
    Vectors vectors(2, transform.dim());
    for (float& x : vectors.row(0)) x = 1;
    if (transform.apply(vectors).dim() != transform.output_dim()) std::abort();
    if (transform.back(std::vector<float>(transform.output_dim(), 1)).size() != transform.dim()) std::abort();
  });
}
