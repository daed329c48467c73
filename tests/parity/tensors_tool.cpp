// For the parity tests: lists what the checkpoint reader finds.
//
//   tensors_tool FILE      prints, a line a tensor: name, type, shape (2x3), SHA-256 of its dense bytes

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cbir/base/error.hpp>
#include <cbir/base/hash.hpp>
#include <cbir/weights/tensors.hpp>

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  try {
    for (const auto& [name, tensor] : cbir::read_tensors(argv[1]))
      fmt::print("{}\t{}\t{}\t{}\n", name, cbir::to_string(tensor.type), fmt::join(tensor.shape, "x"),
                 cbir::sha256(tensor.data));
    return 0;
  } catch (const cbir::Error& error) {
    fmt::print(stderr, "{}\n", error.what());
    return static_cast<int>(error.code());
  }
}
