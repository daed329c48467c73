#include "lib/index/ivf_coarse.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "lib/index/int8.hpp"
#include "lib/index/int8_kernels.hpp"
#include "lib/index/scan_kernels.hpp"

namespace cbir {
namespace {

constexpr double kRounding = 0x1p-24;     // of one operation in float32, relative
constexpr double kLongest = 0x1p+40;      // vectors longer than this are not looked at by codes
constexpr double kUpwards = 1 + 0x1p-20;  // more than what sums in binary64 and conversions to float32 may be off

double norm(std::span<const float> x) {
  double sum = 0;
  for (const float v : x) sum += static_cast<double>(v) * static_cast<double>(v);
  return std::sqrt(sum) * kUpwards;
}

void subtract(std::span<const float> a, std::span<const float> b, std::vector<float>& out) {
  out.resize(a.size());
  for (std::size_t d = 0; d < a.size(); ++d) out[d] = a[d] - b[d];
}

void estimate(float scale, std::span<const std::int32_t> products, const float* scales, const float* terms,
              float* out) {
  for (std::size_t i = 0; i < products.size(); ++i)
    out[i] = scale * scales[i] * static_cast<float>(products[i]) + terms[i];
}

}  // namespace

void select_best(std::span<const float> scores, std::size_t keep, Reservoir& best) {
  best.reset(keep);
  for (std::size_t i = 0; i < scores.size(); ++i) {
    const bool any = best.threshold() == std::numeric_limits<std::int32_t>::min();
    if (!any) i = first_at_least(scores.data(), i, scores.size(), from_ordered(best.threshold()));
    if (i == scores.size()) break;
    best.add(to_ordered(scores[i]), static_cast<std::uint32_t>(i));
    best.make_room();
  }
  best.select();
}

IvfCoarse::IvfCoarse(const IvfModel& model)
    : model_(model), all_(model.lists()), scales_(model.lists()), terms_(model.lists()) {
  const std::size_t stride = padded_codes(model.dim());
  usable_ = stride <= kMaxCodes;
  if (!usable_) return;
  codes_.resize(model.lists() * stride);
  std::iota(all_.begin(), all_.end(), std::uint32_t{0});
  std::vector<float> moved;
  for (std::size_t i = 0; i < model.lists(); ++i) {
    const std::span<const float> centroid = model.centroids.row(i);
    subtract(centroid, model.mean, moved);
    const double length = norm(centroid), length_moved = norm(moved);
    if (!(length < kLongest && length_moved < kLongest)) {  // NaN, too
      usable_ = false;
      return;
    }
    const std::span codes(codes_.data() + i * stride, model.dim());
    const Int8Row row = quantize_int8(moved, codes);
    double term = 0;
    for (std::size_t d = 0; d < moved.size(); ++d)
      term += static_cast<double>(moved[d]) *
              static_cast<double>(model.metric == Metric::l2 ? -.5F * moved[d] : model.mean[d]);
    scales_[i] = row.scale;
    terms_[i] = static_cast<float>(term);
    longest_ = std::max(longest_, length);
    longest_moved_ = std::max(longest_moved_, length_moved + static_cast<double>(row.residual));
    largest_residual_ = std::max(largest_residual_, static_cast<double>(row.residual));
    largest_term_ = std::max(largest_term_, std::abs(term));
  }
}

double IvfCoarse::error_of(double length, double length_moved, double residual) const {
  const double by_codes = residual * longest_moved_ + length_moved * largest_residual_;
  // The sum of an exact score, of as many products as dimensions, each with a rounding before it under l2.
  const double product =
      model_.metric == Metric::l2 ? .5 * (length + longest_) * (length + longest_) : length * longest_;
  const double of_score = kRounding * static_cast<double>(model_.dim() + 8) * product;
  // Moved vectors are rounded, and so are the estimate's three operations, the product's integer and the term.
  const double of_estimate = 8 * kRounding * (length_moved * longest_moved_ + largest_term_);
  return (by_codes + of_score + of_estimate) * kUpwards;
}

void IvfCoarse::select(std::span<const float> query, std::size_t probe, Scratch& scratch,
                       std::vector<std::uint32_t>& lists) const {
  lists.clear();
  const std::size_t count = model_.lists();
  subtract(query, model_.mean, scratch.query);
  const double length = norm(query), length_moved = norm(scratch.query);
  if (!usable_ || probe >= count || !(length < kLongest && length_moved < kLongest)) {
    lists.resize(count);
    std::iota(lists.begin(), lists.end(), std::uint32_t{0});
    return;
  }
  const std::size_t stride = padded_codes(model_.dim());
  scratch.codes.assign(stride, 0);
  const Int8Row row = quantize_int8(scratch.query, std::span(scratch.codes).first(model_.dim()));
  scratch.products.resize(count);
  int8_products(scratch.codes, {codes_.data(), stride}, all_, scratch.products.data());
  scratch.estimates.resize(count);
  float* const estimates = scratch.estimates.data();
  estimate(row.scale, scratch.products, scales_.data(), terms_.data(), estimates);

  // The probe-th best estimate is at most one error above an exact score that so many lists reach; what lies two
  // errors below it cannot reach that.
  select_best(scratch.estimates, probe, scratch.nearest);
  const double least = static_cast<double>(from_ordered(scratch.nearest.threshold())) -
                       2 * error_of(length, length_moved, static_cast<double>(row.residual));
  const float threshold = std::nextafter(static_cast<float>(least), -std::numeric_limits<float>::infinity());
  for (std::size_t i = 0; (i = first_at_least(estimates, i, count, threshold)) < count; ++i)
    lists.push_back(static_cast<std::uint32_t>(i));
}

}  // namespace cbir
