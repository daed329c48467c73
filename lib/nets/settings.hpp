#pragma once
/// What a network needs to know of a preset (the fields of models/*.json that concern it).

#include <array>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

#include <c10/core/Device.h>
#include <cbir/encoder/net_plugin.h>
#include <cbir/base/error.hpp>

#include "arithmetic.hpp"

namespace cbir::nets {

/// A failure that crosses the C boundary as an exit code and a message.
class NetError : public std::runtime_error {
 public:
  NetError(ExitCode code, const std::string& message) : std::runtime_error(message), code_(code) {}
  ExitCode code() const noexcept { return code_; }

 private:
  ExitCode code_;
};

struct Settings {
  std::string network, layer, pool;
  double gem_p = 3;
  std::int64_t dimension = 0;
  std::int64_t size = 0;                   ///< width and height of the input, in pixels; 0: any
  std::array<float, 3> mean{}, std_dev{};  ///< of 8-bit values: (x - mean) / std
  std::vector<double> scales = {1};        ///< of the input; the vectors are averaged
  std::string activation;                  ///< "gelu" or "quick_gelu"; empty: the network's own
  bool flip = false;                       ///< the mirrored input, too
  bool unit = true;                        ///< vectors are meant to have length 1, before they are averaged, too
  Precision precision = Precision::float32;
  c10::Device device = c10::kCPU;
  std::int64_t context = 0;  ///< tokens of a text; 0: the text tower is not wanted
};

/// Throws NetError if a field is missing or makes no sense, or the precision or device is not to be had here.
Settings parse_settings(const cbir_net_source& source);

}  // namespace cbir::nets
