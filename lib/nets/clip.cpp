// CLIP with vision transformers: Radford et al., "Learning Transferable Visual Models From Natural Language
// Supervision" (2021). Parameter names are those of OpenAI's archives, which open_clip kept, or those of CLIPModel in
// Hugging Face's transformers. The text tower is loaded where the preset speaks of texts.

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "embed.hpp"
#include "families.hpp"
#include "loading.hpp"
#include "pooling.hpp"
#include "vision_transformer.hpp"

namespace cbir::nets {
namespace {

constexpr std::int64_t kContext = 77;
constexpr std::int64_t kVocabulary = 49408;

struct Sizes {
  const char* network;
  std::int64_t patch, width, layers;  // of the image tower
  std::int64_t text_width, text_layers;
  std::int64_t dimension;
  std::int64_t batch;  // so that some 200 tokens share a weight that was read, or more; larger ones gain nothing
};
constexpr std::array<Sizes, 3> kSizes = {{{"clip-vit-b-32", 32, 768, 12, 512, 12, 512, 8},
                                          {"clip-vit-b-16", 16, 768, 12, 512, 12, 512, 1},
                                          {"clip-vit-l-14", 14, 1024, 24, 768, 12, 768, 1}}};

/// What a checkpoint calls the parts of a tower.
struct TowerNames {
  std::string embedding;  // of patches or tokens
  std::string positions;
  std::string blocks;
  std::string norm;  // the last one
  std::string projection;
};

struct Names {
  TowerNames image, text;
  std::string class_token, first_norm;
  BlockNames block;
  bool transposed;                  // projections are width x dimension
  std::vector<std::string> others;  // that take no part in embeddings
};

const Names kOpenAi = {
    .image = {"visual.conv1.weight", "visual.positional_embedding", "visual.transformer.resblocks", "visual.ln_post",
              "visual.proj"},
    .text = {"token_embedding.weight", "positional_embedding", "transformer.resblocks", "ln_final", "text_projection"},
    .class_token = "visual.class_embedding",
    .first_norm = "visual.ln_pre",
    .block = {.attention_norm = "ln_1",
              .qkv = {{"attn.in_proj_weight", "attn.in_proj_bias"}},
              .attention_projection = "attn.out_proj",
              .attention_scale = {},
              .mlp_norm = "ln_2",
              .mlp_expand = "mlp.c_fc",
              .mlp_contract = "mlp.c_proj",
              .mlp_scale = {}},
    .transposed = true,
    .others = {"logit_scale", "logit_bias", "attn_mask", "input_resolution", "context_length", "vocab_size"}};

const Names kHuggingFace = {
    .image = {"vision_model.embeddings.patch_embedding.weight", "vision_model.embeddings.position_embedding.weight",
              "vision_model.encoder.layers", "vision_model.post_layernorm", "visual_projection.weight"},
    .text = {"text_model.embeddings.token_embedding.weight", "text_model.embeddings.position_embedding.weight",
             "text_model.encoder.layers", "text_model.final_layer_norm", "text_projection.weight"},
    .class_token = "vision_model.embeddings.class_embedding",
    .first_norm = "vision_model.pre_layrnorm",  // the spelling is theirs
    .block = {.attention_norm = "layer_norm1",
              .qkv = {{"self_attn.q_proj.weight", "self_attn.q_proj.bias"},
                      {"self_attn.k_proj.weight", "self_attn.k_proj.bias"},
                      {"self_attn.v_proj.weight", "self_attn.v_proj.bias"}},
              .attention_projection = "self_attn.out_proj",
              .attention_scale = {},
              .mlp_norm = "layer_norm2",
              .mlp_expand = "mlp.fc1",
              .mlp_contract = "mlp.fc2",
              .mlp_scale = {}},
    .transposed = false,
    .others = {"logit_scale", "vision_model.embeddings.position_ids", "text_model.embeddings.position_ids"}};

const Sizes& sizes_of(const Settings& settings) {
  return *std::find_if(kSizes.begin(), kSizes.end(), [&](const Sizes& s) { return settings.network == s.network; });
}

TransformerSpec transformer(const Names& names, const std::string& blocks, std::int64_t width, std::int64_t layers,
                            const Settings& settings) {
  TransformerSpec spec;
  spec.blocks = blocks;
  spec.names = names.block;
  spec.width = width;
  spec.layers = layers;
  spec.activation = settings.activation == "gelu" ? Activation::gelu : Activation::quick_gelu;
  return spec;
}

Head load_head(const Names& names, const TowerNames& tower, std::int64_t width, std::int64_t dimension,
               Parameters& parameters, const Settings& settings) {
  const LayerNorm norm = LayerNorm::take(parameters, tower.norm, width, 1e-5, settings);
  LinearSpec projection;
  projection.weight = names.transposed ? parameters.take(tower.projection, {width, dimension}).t().contiguous()
                                       : parameters.take(tower.projection, {dimension, width});
  return {norm, projection, settings};
}

/// A checkpoint has one position for each patch of pictures of one size; the preset's must be that.
void check_resolution(const std::string& positions, std::int64_t patch, const Parameters& parameters,
                      const Settings& settings) {
  const at::IntArrayRef shape = parameters.shape(positions);
  if (shape.size() != 2) return;
  const auto grid = static_cast<std::int64_t>(std::llround(std::sqrt(static_cast<double>(shape[0] - 1))));
  if (grid * grid + 1 != shape[0] || grid * patch == settings.size) return;
  const auto square = [](std::int64_t side) { return std::to_string(side) + " x " + std::to_string(side); };
  throw Error(ExitCode::incompatible, "parameter " + positions + " is for pictures of " + square(grid * patch) +
                                          " pixels, the preset makes " + square(settings.size));
}

VisionTransformer load_image_tower(const Names& names, const Sizes& sizes, Parameters& parameters,
                                   const Settings& settings) {
  TokensSpec tokens;
  tokens.weight = parameters.take(names.image.embedding, {sizes.width, 3, sizes.patch, sizes.patch});
  tokens.class_token = parameters.take(names.class_token, {sizes.width});
  check_resolution(names.image.positions, sizes.patch, parameters, settings);
  const std::int64_t grid = settings.size / sizes.patch;
  tokens.positions = parameters.take(names.image.positions, {1 + grid * grid, sizes.width});
  tokens.norm = LayerNorm::take(parameters, names.first_norm, sizes.width, 1e-5, settings);
  return {
      tokens,
      Transformer(transformer(names, names.image.blocks, sizes.width, sizes.layers, settings), parameters, settings),
      settings};
}

class TextTower {
 public:
  TextTower(const Names& names, const Sizes& sizes, Parameters& parameters, const Settings& settings)
      : tokens_(parameters.take(names.text.embedding, {kVocabulary, sizes.text_width}).to(settings.device)),
        positions_(parameters.take(names.text.positions, {kContext, sizes.text_width}).to(settings.device)),
        blocks_(spec(names, sizes, settings), parameters, settings),
        head_(load_head(names, names.text, sizes.text_width, sizes.dimension, parameters, settings)) {}

  /// The text's feature is what becomes of its end token, which has the highest number. Tokens behind it are seen by
  /// nobody, and are left out as far as all texts have them; to the next multiple of 8, so that shapes recur.
  at::Tensor operator()(const at::Tensor& tokens) const {
    const at::Tensor ends = tokens.argmax(1);
    const std::int64_t length = std::min(kContext, (ends.max().item<std::int64_t>() / 8 + 1) * 8);
    const at::Tensor seen = tokens.narrow(1, 0, length);
    const at::Tensor x = at::embedding(tokens_, seen) + positions_.narrow(0, 0, length);
    return head_(blocks_(x, ends));
  }

 private:
  static TransformerSpec spec(const Names& names, const Sizes& sizes, const Settings& settings) {
    TransformerSpec out = transformer(names, names.text.blocks, sizes.text_width, sizes.text_layers, settings);
    out.causal = true;
    return out;
  }

  at::Tensor tokens_, positions_;
  Transformer blocks_;
  Head head_;
};

class ClipRunner : public Runner {
 public:
  ClipRunner(const Names& names, const Sizes& sizes, Parameters& parameters, const Settings& settings)
      : image_(load_image_tower(names, sizes, parameters, settings)),
        head_(load_head(names, names.image, sizes.width, sizes.dimension, parameters, settings)) {
    if (settings.context) text_.emplace(names, sizes, parameters, settings);
  }

  at::Tensor run(const at::Tensor& pictures) const override { return head_(image_(pictures)); }

  at::Tensor run_text(const at::Tensor& tokens) const override {
    return text_ ? (*text_)(tokens) : Runner::run_text(tokens);
  }

 private:
  VisionTransformer image_;
  Head head_;
  std::optional<TextTower> text_;
};

void ignore_others(const Names& names, const Settings& settings, Parameters& parameters) {
  for (const std::string& name : names.others) parameters.ignore_prefix(name);
  if (settings.context) return;
  for (const char* part :
       {"token_embedding.", "positional_embedding", "transformer.", "ln_final.", "text_projection", "text_model."})
    parameters.ignore_prefix(part);
}

class Clip : public Model {
 public:
  Clip(const Names& names, const Traits& traits, Parameters& parameters, const Settings& settings)
      : traits_(traits), layers_(names, sizes_of(settings), parameters, settings) {
    ignore_others(names, settings, parameters);
    parameters.finish();
  }
  Traits traits() const override { return traits_; }
  std::unique_ptr<Runner> make_runner() const override { return std::make_unique<ClipRunner>(layers_); }

 private:
  Traits traits_;
  ClipRunner layers_;  // a copy shares the packed weights
};

}  // namespace

std::unique_ptr<Model> make_clip(const Settings& settings, Parameters& parameters) {
  const Sizes& sizes = sizes_of(settings);
  check_layer(settings, {{"projection", sizes.dimension}});
  check_no_pool(settings);
  const Traits traits{.batch = sizes.batch,
                      .activation = true,
                      .context = settings.context ? kContext : 0,
                      .vocabulary = settings.context ? kVocabulary : 0};
  check_input(settings, traits);
  const bool hugging_face = parameters.has(kHuggingFace.image.embedding);
  return std::make_unique<Clip>(hugging_face ? kHuggingFace : kOpenAi, traits, parameters, settings);
}

}  // namespace cbir::nets
