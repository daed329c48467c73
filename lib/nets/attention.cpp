#include "attention.hpp"

#include <ATen/Functions.h>

#include <algorithm>

#include "kernel.hpp"

namespace cbir::nets {
namespace {

constexpr std::int64_t kScores = 1 << 18;  // that are computed at once: they stay in a core's cache

/// One row of the batch, tokens x width, as heads x tokens x width of a head. A view.
at::Tensor by_head(const at::Tensor& x, std::int64_t n, std::int64_t heads) {
  return x.select(0, n).view({x.size(1), heads, x.size(2) / heads}).transpose(0, 1);
}

/// Heads and rows in groups. Everything is multiplied where it lies.
at::Tensor on_cpu(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, std::int64_t heads,
                  const at::Tensor& mask) {
  const at::Tensor out = at::empty(q.sizes(), q.options());
  const std::int64_t rows = q.size(1), tokens = k.size(1);
  const std::int64_t row_step = std::clamp<std::int64_t>(kScores / tokens, 1, rows),
                     head_step = std::clamp<std::int64_t>(kScores / (tokens * row_step), 1, heads);
  for (std::int64_t n = 0; n < q.size(0); ++n) {
    const at::Tensor query = by_head(q, n, heads), key = by_head(k, n, heads).transpose(1, 2),
                     value = by_head(v, n, heads), result = by_head(out, n, heads);
    for (std::int64_t head = 0; head < heads; head += head_step) {
      const std::int64_t some = std::min(head_step, heads - head);
      for (std::int64_t row = 0; row < rows; row += row_step) {
        const std::int64_t part = std::min(row_step, rows - row);
        at::Tensor scores = at::empty({some, part, tokens}, q.options());
        for (std::int64_t i = 0; i < some; ++i)
          multiply(query.select(0, head + i).narrow(0, row, part), key.select(0, head + i), scores.select(0, i));
        if (mask.defined()) scores.add_(mask.select(0, mask.size(0) == 1 ? 0 : n).narrow(0, row, part));
        scores = at::softmax(scores, -1);
        for (std::int64_t i = 0; i < some; ++i)
          multiply(scores.select(0, i), value.select(0, head + i), result.select(0, head + i).narrow(0, row, part));
      }
    }
  }
  return out;
}

/// Few large operations, as a GPU wants them.
at::Tensor in_one(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, std::int64_t heads,
                  const at::Tensor& mask) {
  const auto split = [&](const at::Tensor& x) {
    return x.view({x.size(0), x.size(1), heads, x.size(2) / heads}).transpose(1, 2);
  };
  at::Tensor scores = at::matmul(split(q), split(k).transpose(2, 3));
  if (mask.defined()) scores.add_(mask.unsqueeze(1));
  return at::matmul(at::softmax(scores, -1), split(v)).transpose(1, 2).reshape(q.sizes());
}

}  // namespace

at::Tensor attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, std::int64_t heads,
                     const at::Tensor& mask) {
  if (!q.device().is_cpu()) return in_one(q, k, v, heads, mask);
  return on_cpu(q.to(at::kFloat), k.to(at::kFloat), v.to(at::kFloat), heads, mask).to(q.scalar_type());
}

}  // namespace cbir::nets
