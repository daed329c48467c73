// SuperPoint: DeTone et al., "SuperPoint: Self-Supervised Interest Point Detection and Description" (CVPRW 2018), with
// the authors' parameter names. One encoder of convolutions; of each cell of 8 x 8 pixels a first head says which of
// them is a keypoint, if any, and a second one what is there.

#include <ATen/Functions.h>

#include <array>

#include "../conv.hpp"
#include "../loading.hpp"
#include "keypoints.hpp"
#include "networks.hpp"
#include "sampling.hpp"

namespace cbir::nets {
namespace {

constexpr std::int64_t kCell = 8, kDimension = 256;

/// Luma, 0 to 1, rounded to 8 bits as OpenCV reads grey pictures: 1 x 1 x height x width.
at::Tensor luma(const cbir_net_picture& picture) {
  const at::Tensor out = at::empty({1, 1, picture.height, picture.width});
  const std::uint8_t* pixel = picture.pixels;
  for (float* to = out.data_ptr<float>(); to != out.data_ptr<float>() + out.numel(); ++to, pixel += 3)
    *to = static_cast<float>((pixel[0] * 4899 + pixel[1] * 9617 + pixel[2] * 1868 + (1 << 13)) >> 14) / 255;
  return out;
}

Conv conv(Parameters& parameters, const std::string& name, std::int64_t out, std::int64_t in, std::int64_t kernel) {
  ConvSpec spec = take_conv(parameters, "conv" + name, {out, in, kernel, kernel});
  spec.padding = Padding::all(kernel / 2);
  spec.activation = kernel == 3 ? Activation::relu : Activation::none;
  return Conv(spec);
}

class SuperPoint : public FeatureNet {
 public:
  SuperPoint(const FeatureSettings& settings, Parameters& parameters)
      : settings_(settings),
        encoder_{conv(parameters, "1a", 64, 1, 3),    conv(parameters, "1b", 64, 64, 3),
                 conv(parameters, "2a", 64, 64, 3),   conv(parameters, "2b", 64, 64, 3),
                 conv(parameters, "3a", 128, 64, 3),  conv(parameters, "3b", 128, 128, 3),
                 conv(parameters, "4a", 128, 128, 3), conv(parameters, "4b", 128, 128, 3)},
        points_{conv(parameters, "Pa", 256, 128, 3), conv(parameters, "Pb", kCell * kCell + 1, 256, 1)},
        descriptors_{conv(parameters, "Da", 256, 128, 3), conv(parameters, "Db", kDimension, 256, 1)} {}

  std::unique_ptr<FeatureNet> clone() const override { return std::make_unique<SuperPoint>(*this); }

  Features find(const cbir_net_picture& picture, std::size_t limit) const override {
    Features out;
    if (picture.width < kCell || picture.height < kCell) return out;
    const at::Tensor encoded = encode(picture);
    const std::int64_t rows = encoded.size(2), columns = encoded.size(3);
    const at::Tensor scores = cells_to_pixels(points_[1](points_[0](encoded)));
    const ScoreMap map{
        {scores.data_ptr<float>(), static_cast<std::size_t>(scores.numel())}, columns * kCell, rows * kCell};
    std::vector<Peak> peaks = local_maxima_again(map, settings_.threshold, settings_.radius);
    leave_border(peaks, map, settings_.border);
    keep_strongest(peaks, limit);

    const at::Tensor dense = descriptors_[1](descriptors_[0](encoded));
    normalise_rows(dense, kDimension);
    const FeatureMap cells(dense);
    out.descriptors.resize(peaks.size() * kDimension);
    for (std::size_t i = 0; i < peaks.size(); ++i) {
      const Peak& peak = peaks[i];
      const std::span descriptor(out.descriptors.data() + i * kDimension, kDimension);
      add_bilinear(cells, cell(peak.x, columns), cell(peak.y, rows), descriptor);
      normalise(descriptor);
      out.keypoints.push_back({.x = static_cast<float>(peak.x),
                               .y = static_cast<float>(peak.y),
                               .size = 0,
                               .angle = -1,
                               .score = peak.score});
    }
    return out;
  }

 private:
  at::Tensor encode(const cbir_net_picture& picture) const {
    at::Tensor x = luma(picture);
    for (std::size_t i = 0; i < encoder_.size(); ++i) {
      x = encoder_[i](x);
      if (i % 2 == 1 && i + 1 < encoder_.size()) x = at::max_pool2d(x, {2, 2}, {2, 2});
    }
    return x;
  }

  /// Where a pixel lies among the cells, as the original has it.
  static float cell(std::int32_t pixel, std::int64_t cells) {
    const float last = static_cast<float>(cells * kCell) - kCell / 2.0F - .5F;
    return (static_cast<float>(pixel) - kCell / 2.0F + .5F) / last * static_cast<float>(cells - 1);
  }

  FeatureSettings settings_;
  std::array<Conv, 8> encoder_;
  std::array<Conv, 2> points_, descriptors_;
};

}  // namespace

std::unique_ptr<FeatureNet> make_superpoint(const FeatureSettings& settings, Parameters& parameters) {
  if (settings.dimension != kDimension)
    throw Error(ExitCode::incompatible, "descriptors of superpoint have " + std::to_string(kDimension) +
                                            " numbers, not " + std::to_string(settings.dimension));
  auto net = std::make_unique<SuperPoint>(settings, parameters);
  parameters.finish();
  return net;
}

}  // namespace cbir::nets
