#pragma once
/// The families of networks. A new one is a file with a make function, and a line in families.cpp.

#include <ATen/core/Tensor.h>

#include <memory>

#include "parameters.hpp"
#include "settings.hpp"

namespace cbir::nets {

/// A network's working copy, for one thread at a time.
class Runner {
 public:
  virtual ~Runner() = default;
  /// Pictures, N x 3 x height x width, normalised float32 in channels-last order, to N x D, of any floating-point type.
  /// N is 1 unless the model's batch is larger. All on settings.device; layers compute in settings.precision.
  virtual at::Tensor run(const at::Tensor& pictures) const = 0;
  /// Texts, N x context tokens (int64), to N x D.
  virtual at::Tensor run_text(const at::Tensor& tokens) const;
  /// What is done to the vectors, N x D, after those of all scales and of the mirrored picture were averaged.
  virtual at::Tensor finish(const at::Tensor& vectors) const { return vectors; }
};

/// What the plug-in must know to feed a network.
struct Traits {
  /// Pictures of one size (or texts) that are run together at most, on the CPU. More than 1 where a weight read from
  /// memory is worth more than one use; results then depend on how many there are.
  std::int64_t batch = 1;
  bool any_size = false;        ///< or only settings.size x settings.size
  bool activation = false;      ///< settings.activation has a say
  std::int64_t context = 0;     ///< tokens of a text; 0: no text tower
  std::int64_t vocabulary = 0;  ///< tokens there are
};

/// A network with its parameters. Thread-safe.
class Model {
 public:
  virtual ~Model() = default;
  virtual Traits traits() const = 0;
  virtual std::unique_ptr<Runner> make_runner() const = 0;
};

/// Builds the network that the settings name. Throws Error.
std::unique_ptr<Model> make_model(const Settings& settings, Parameters& parameters);

std::unique_ptr<Model> make_clip(const Settings& settings, Parameters& parameters);
std::unique_ptr<Model> make_dinov2(const Settings& settings, Parameters& parameters);
std::unique_ptr<Model> make_efficientnet_lite0(const Settings& settings, Parameters& parameters);
std::unique_ptr<Model> make_mobilenet_v3(const Settings& settings, Parameters& parameters);
std::unique_ptr<Model> make_resnet(const Settings& settings, Parameters& parameters);
/// In the layout of cnnimageretrieval-pytorch, with what it learned beside: GeM's exponent, whitening.
std::unique_ptr<Model> make_retrieval_resnet(const Settings& settings, Parameters& parameters);
std::unique_ptr<Model> make_vgg16(const Settings& settings, Parameters& parameters);

}  // namespace cbir::nets
