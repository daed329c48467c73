#pragma once
/// Encoders: pictures (and texts, where the network reads them) in, embeddings out.

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <cbir/base/matrix.hpp>
#include <cbir/encoder/preset.hpp>
#include <cbir/image/image.hpp>

namespace cbir {

/// Resizes and crops a picture to the preset's input, 8-bit RGB, as the preset's reference implementation does. Throws
/// ImageError for one that is too narrow or too large for it.
Image preprocess(const Image& image, const Preprocessing& preprocessing);

/// The same in another process of this program: what is to be done as bytes, and doing it. A DecoderProcesses::Finish.
std::string preprocessing_bytes(const Preprocessing& preprocessing);
Image preprocess_by_bytes(const Image& image, std::string_view bytes);

/// What became of a text: all of it was read, or its beginning.
struct TextLength {
  std::size_t tokens = 0;  ///< that the whole text takes, start and end included
  std::size_t read = 0;    ///< that the network reads at most

  bool truncated() const { return tokens > read; }
};

class Encoder {
 public:
  virtual ~Encoder() = default;

  /// Numbers in an embedding.
  virtual std::size_t dim() const = 0;

  /// Encodes preprocessed pictures into the rows of `out` (one a picture), normalised as the preset says. A picture
  /// without pixels is a slot that stays empty: its row becomes zeros. Thread-safe; each call computes on the calling
  /// thread alone (or on the GPU), so that the result does not depend on the number of threads. It may depend on the
  /// number of slots in a call, empty ones included. Throws Error(internal) if the network fails, and DamagedFile if it
  /// yields a NaN or an infinity.
  virtual void encode(std::span<const Image> pictures, MatrixView<float> out) const = 0;

  /// Encodes UTF-8 texts into the rows of `out`, as encode() does pictures; a row does not depend on the other texts.
  /// Returns how long each is. Throws as encode(), and Incompatible if the network has no text tower, if a text is not
  /// UTF-8, or if the vocabulary is not the network's; MissingInput and DamagedFile if the vocabulary is not here or
  /// not sound; ResourceLimit for a text that is too large (ClipTokenizer).
  virtual std::vector<TextLength> encode_text(std::span<const std::string> texts, MatrixView<float> out) const;

  /// The network's arithmetic, and where it runs: "float32" or "bfloat16"; "cpu" or "cuda".
  virtual std::string precision() const { return "float32"; }
  virtual std::string device() const { return "cpu"; }

  const Preset& preset() const noexcept { return preset_; }
  const std::string& fingerprint() const noexcept { return fingerprint_; }

 protected:
  Encoder(Preset preset, std::string fingerprint) : preset_(std::move(preset)), fingerprint_(std::move(fingerprint)) {}

 private:
  Preset preset_;
  std::string fingerprint_;
};

/// Throws Incompatible, naming what reads both, unless the preset's network reads texts, too.
void require_text(const Preset& preset);

/// How a network is to be run. What is named and not to be had here is refused (ExitCode::resource), never emulated;
/// "auto" takes the next best. It is no part of the fingerprint: a query in float32 may be put to vectors made in
/// bfloat16, whose cosine with those of float32 is .999 and more.
struct EncoderOptions {
  /// Of its arithmetic: "float32"; "bfloat16", on a CPU with AVX-512 BF16 or AMX, or on a GPU; "auto": bfloat16 where
  /// it is to be had, else float32.
  std::string precision = "float32";
  std::string device = "cpu";  ///< "cpu"; "cuda", the first GPU that LibTorch sees; "auto": cuda where there is one

  bool operator==(const EncoderOptions&) const = default;
};

/// Loads the weights (default: weights_path(preset)), checks their SHA-256 if they are the preset's own, and creates
/// the network through the plug-in that runs it: nets, or onnx. Throws MissingInput (saying how to fetch them),
/// DamagedFile (another checksum), Incompatible (naming the first parameter, or the input or output, that does not
/// fit), Error of ExitCode::resource (a device or precision that is not there).
std::unique_ptr<Encoder> open_encoder(const Preset& preset, const std::optional<std::string>& weights_file = {},
                                      const EncoderOptions& options = {});

}  // namespace cbir
