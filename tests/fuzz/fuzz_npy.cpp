#include <tests/fuzz/target.hpp>
#include <vector>

#include <cbir/store/npy.hpp>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace cbir;
  fuzz::expect_file_errors([&] { parse_npy_header(fuzz::bytes(data, size), "x.npy"); });
  const fuzz::MemoryFile file(fuzz::bytes(data, size));
  fuzz::expect_file_errors([&] { read_npy_strings(file.path()); });
  return fuzz::expect_file_errors([&] {
    const NpyMatrix matrix(file.path());
    std::vector<float> row(matrix.cols());
    for (std::size_t i = 0; i < matrix.rows() && !row.empty(); ++i) matrix.read(i, 1, row.data());
  });
}
