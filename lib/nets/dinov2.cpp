// DINOv2: Oquab et al., "DINOv2: Learning Robust Visual Features without Supervision" (2023). Parameter names are those
// of the authors' checkpoints, which are for pictures of 518 x 518 pixels; for others the positions are interpolated
// as the authors do it.

#include <ATen/Functions.h>

#include <algorithm>
#include <array>

#include "embed.hpp"
#include "families.hpp"
#include "loading.hpp"
#include "pooling.hpp"
#include "vision_transformer.hpp"

namespace cbir::nets {
namespace {

constexpr std::int64_t kPatch = 14;
constexpr std::int64_t kGrid = 37;  // of the checkpoints' positions
constexpr double kEpsilon = 1e-6;

struct Sizes {
  const char* network;
  std::int64_t width, layers;
};
constexpr std::array<Sizes, 2> kSizes = {{{"dinov2-vits14", 384, 12}, {"dinov2-vitb14", 768, 12}}};

const BlockNames kBlock = {.attention_norm = "norm1",
                           .qkv = {{"attn.qkv.weight", "attn.qkv.bias"}},
                           .attention_projection = "attn.proj",
                           .attention_scale = "ls1.gamma",
                           .mlp_norm = "norm2",
                           .mlp_expand = "mlp.fc1",
                           .mlp_contract = "mlp.fc2",
                           .mlp_scale = "ls2.gamma"};

/// Positions for `grid` x `grid` patches. The authors add .1 to the size, so that rounding does not lose a patch, and
/// interpolate by the factor that results: it shifts the positions a little, and the published features have it so.
at::Tensor interpolated(const at::Tensor& positions, std::int64_t grid) {
  if (grid == kGrid) return positions;
  const std::int64_t width = positions.size(1);
  const at::Tensor map =
      positions.narrow(0, 1, kGrid * kGrid).view({1, kGrid, kGrid, width}).permute({0, 3, 1, 2}).contiguous();
  const double scale = (static_cast<double>(grid) + .1) / static_cast<double>(kGrid);
  const at::Tensor resized = at::upsample_bicubic2d(map, {grid, grid}, false, scale, scale);
  return at::cat({positions.narrow(0, 0, 1), resized.permute({0, 2, 3, 1}).reshape({grid * grid, width})});
}

VisionTransformer load(const Sizes& sizes, Parameters& parameters, const Settings& settings) {
  TokensSpec tokens;
  tokens.weight = parameters.take("patch_embed.proj.weight", {sizes.width, 3, kPatch, kPatch});
  tokens.bias = parameters.take("patch_embed.proj.bias", {sizes.width});
  tokens.class_token = parameters.take("cls_token", {1, 1, sizes.width}).view({sizes.width});
  const at::Tensor positions = parameters.take("pos_embed", {1, 1 + kGrid * kGrid, sizes.width});
  tokens.positions = interpolated(positions[0], settings.size / kPatch);
  TransformerSpec blocks;
  blocks.blocks = "blocks";
  blocks.names = kBlock;
  blocks.width = sizes.width;
  blocks.layers = sizes.layers;
  blocks.epsilon = kEpsilon;
  return {tokens, Transformer(blocks, parameters, settings), settings};
}

class DinoRunner : public Runner {
 public:
  DinoRunner(const Sizes& sizes, Parameters& parameters, const Settings& settings)
      : blocks_(load(sizes, parameters, settings)),
        norm_(LayerNorm::take(parameters, "norm", sizes.width, kEpsilon, settings)) {
    parameters.ignore_prefix("mask_token");
    parameters.finish();
  }

  at::Tensor run(const at::Tensor& pictures) const override { return norm_(blocks_(pictures)); }

 private:
  VisionTransformer blocks_;
  LayerNorm norm_;
};

class Dino : public Model {
 public:
  Dino(const Sizes& sizes, const Traits& traits, Parameters& parameters, const Settings& settings)
      : traits_(traits), layers_(sizes, parameters, settings) {}
  Traits traits() const override { return traits_; }
  std::unique_ptr<Runner> make_runner() const override { return std::make_unique<DinoRunner>(layers_); }

 private:
  Traits traits_;
  DinoRunner layers_;  // a copy shares the packed weights
};

}  // namespace

std::unique_ptr<Model> make_dinov2(const Settings& settings, Parameters& parameters) {
  const Sizes& sizes =
      *std::find_if(kSizes.begin(), kSizes.end(), [&](const Sizes& s) { return settings.network == s.network; });
  check_layer(settings, {{"class-token", sizes.width}});
  check_no_pool(settings);
  const Traits traits;
  check_input(settings, traits);
  if (settings.size % kPatch != 0)
    throw Error(ExitCode::incompatible, "network '" + settings.network +
                                            "' takes pictures whose sides are multiples of 14 pixels, not " +
                                            std::to_string(settings.size));
  return std::make_unique<Dino>(sizes, traits, parameters, settings);
}

}  // namespace cbir::nets
