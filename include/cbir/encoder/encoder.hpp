#pragma once
/// Encoders: pictures in, embeddings out.

#include <memory>
#include <optional>
#include <span>
#include <string>

#include <cbir/base/matrix.hpp>
#include <cbir/encoder/preset.hpp>
#include <cbir/image/image.hpp>

namespace cbir {

/// Resizes and crops a picture to the preset's input, 8-bit RGB, as the preset's reference implementation does.
Image preprocess(const Image& image, const Preprocessing& preprocessing);

class Encoder {
 public:
  virtual ~Encoder() = default;

  /// Numbers in an embedding.
  virtual std::size_t dim() const = 0;

  /// Bytes of one preprocessed picture: crop x crop x 3.
  virtual std::size_t input_bytes() const = 0;

  /// Encodes out.rows preprocessed pictures, laid one after another in `inputs` (8-bit RGB, interleaved), into the rows
  /// of `out`, normalised as the preset says. Thread-safe; each call computes on the calling thread alone, so that the
  /// result does not depend on the number of threads. It may depend on the number of pictures in a call.
  /// Throws Error(internal) if the network fails, and DamagedFile if it yields a NaN or an infinity.
  virtual void encode(std::span<const std::uint8_t> inputs, MatrixView<float> out) const = 0;

  const Preset& preset() const noexcept { return preset_; }
  const std::string& fingerprint() const noexcept { return fingerprint_; }

 protected:
  Encoder(Preset preset, std::string fingerprint) : preset_(std::move(preset)), fingerprint_(std::move(fingerprint)) {}

 private:
  Preset preset_;
  std::string fingerprint_;
};

/// Loads the weights (default: weights_path(preset)), checks their SHA-256 if they are the preset's own, and creates
/// the network through the nets plug-in. Throws MissingInput (saying how to fetch them), DamagedFile (another
/// checksum), Incompatible (naming the first parameter that does not fit).
std::unique_ptr<Encoder> open_encoder(const Preset& preset, const std::optional<std::string>& weights_file = {});

}  // namespace cbir
