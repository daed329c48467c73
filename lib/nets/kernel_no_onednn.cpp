// For a build without oneDNN: nothing is made by it.

#include "kernel.hpp"

namespace cbir::nets {

std::unique_ptr<Kernel> make_onednn(const ConvSpec&, Precision) { return nullptr; }
std::unique_ptr<Kernel> make_onednn(const LinearSpec&, Precision) { return nullptr; }
bool onednn_has_bf16() { return false; }

}  // namespace cbir::nets
