#pragma once
/// What a network needs to know of a preset (the fields of models/*.json that concern it).

#include <array>
#include <cstdint>
#include <stdexcept>
#include <string>

#include <cbir/base/error.hpp>

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
  std::int64_t dimension = 0;
  std::int64_t size = 0;                   ///< width and height of the input, in pixels
  std::array<float, 3> mean{}, std_dev{};  ///< of 8-bit values: (x - mean) / std
};

/// Throws NetError if a field is missing or makes no sense.
Settings parse_settings(const char* preset_json);

}  // namespace cbir::nets
