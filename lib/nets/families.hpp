#pragma once
/// The families of networks. A new one is a file with a make function, and a line in families.cpp.

#include <memory>

#include "parameters.hpp"
#include "settings.hpp"

namespace cbir::nets {

/// A network's working copy, for one thread at a time.
class Runner {
 public:
  virtual ~Runner() = default;
  /// One picture, size x size, 8-bit RGB interleaved, to `dimension` numbers.
  virtual void run(const std::uint8_t* picture, float* out) const = 0;
};

/// A network with its parameters. Thread-safe.
class Model {
 public:
  virtual ~Model() = default;
  virtual std::unique_ptr<Runner> make_runner() const = 0;
};

/// Builds the network that the settings name. Throws NetError.
std::unique_ptr<Model> make_model(const Settings& settings, Parameters& parameters);

std::unique_ptr<Model> make_efficientnet_lite0(const Settings& settings, Parameters& parameters);

}  // namespace cbir::nets
