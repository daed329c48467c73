#pragma once
/// Scaled dot-product attention (Vaswani et al., "Attention Is All You Need", 2017).

#include <ATen/core/Tensor.h>

namespace cbir::nets {

/// softmax(q k^T + mask) v for each head; the caller has scaled q. Heads lie side by side in the last dimension.
/// `q` is n x rows x width, `k` and `v` are n x tokens x width, `mask` is n x rows x tokens or 1 x rows x tokens,
/// float32, or undefined: none. Only the last dimension need be dense. The result is n x rows x width, of q's type. On
/// the CPU it is computed in float32, on the calling thread, and scores never take more than some 1 MiB.
at::Tensor attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, std::int64_t heads,
                     const at::Tensor& mask);

}  // namespace cbir::nets
