#include "nn.hpp"

#include <cmath>

#include <cbir/base/error.hpp>

#include "nn_kernels.hpp"

namespace cbir {
namespace {

class NnMatcher final : public LocalMatcher {
 public:
  NnMatcher(const LocalKind& kind, const NnSettings& settings) : kind_(kind), settings_(settings) {}

  std::vector<LocalMatch> match(const LocalFeatures& a, const LocalFeatures& b) const override {
    if (a.size() == 0 || b.size() == 0) return {};
    const NearestRows nearest = kind_.binary ? nearest_hamming(rows(a, a.bits), rows(b, b.bits))
                                             : nearest_l2(rows(a, a.descriptors), rows(b, b.descriptors));
    std::vector<LocalMatch> matches;
    for (std::size_t i = 0; i < a.size(); ++i) {
      const NearestRows::OfA& of_a = nearest.of_a[i];
      if (of_a.nearest == kNoDistance || nearest.row_of_b[of_a.row] != static_cast<std::int32_t>(i)) continue;
      const float distance = length(of_a.nearest), second = length(of_a.second);
      if (!(distance < settings_.ratio * second) || distance > settings_.distance) continue;
      const float share = of_a.second == kNoDistance ? 0 : distance / second;
      matches.push_back({static_cast<std::uint32_t>(i), of_a.row, 1 - share});
    }
    return matches;
  }

 private:
  float length(float distance) const { return kind_.binary ? distance : std::sqrt(distance); }

  template <typename T>
  MatrixView<const T> rows(const LocalFeatures& features, const std::vector<T>& numbers) const {
    if (numbers.size() != features.size() * kind_.dim)
      throw UsageError("features do not have the descriptors of their kind, " + kind_.name);
    return {numbers.data(), features.size(), kind_.dim};
  }

  LocalKind kind_;
  NnSettings settings_;
};

}  // namespace

NnSettings nn_settings(const LocalKind& kind) {
  // Learned descriptors are trained to be near where they fit, and a second nearest is often as near.
  if (kind.name == "sift") return {.ratio = .8F};
  if (kind.binary) return {.ratio = .85F, .distance = 64};
  return {.ratio = .95F};
}

std::unique_ptr<LocalMatcher> make_nn_matcher(const LocalKind& kind, const NnSettings& settings) {
  return std::make_unique<NnMatcher>(kind, settings);
}

}  // namespace cbir
