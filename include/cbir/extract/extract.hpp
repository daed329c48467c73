#pragma once
/// Pictures into an embedding set: reading, decoding and encoding side by side, in bounded memory.
///
/// The list is cut into batches by position; a batch is decoded and encoded by one thread, and batches are written in
/// order. A picture that fails leaves its slot zero, so the bytes of the result depend on neither the number of threads
/// nor on which thread was faster. Finished batches are recorded, so that a run that was stopped goes on.

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include <cbir/encoder/encoder.hpp>
#include <cbir/extract/listing.hpp>
#include <cbir/extract/texts.hpp>
#include <cbir/image/image.hpp>
#include <cbir/store/set.hpp>

namespace cbir {

struct FailureLimit {
  std::optional<std::uint64_t> count;  ///< stop when more items than this have failed
  std::optional<double> fraction;      ///< stop when more than this share of the whole list has failed
};

/// "12" or "5%". Throws UsageError.
FailureLimit parse_failure_limit(const std::string& text);

struct ExtractOptions {
  std::string output;      ///< NAME of the set
  std::size_t batch = 16;  ///< pictures that go through the network together
  Dtype dtype = Dtype::float32;
  DecodeOptions decode;
  std::string label = "parent";  ///< "parent", "none", or the path of a TSV
  FailureLimit max_failures;
  bool npy_pair = false;  ///< write embeddings and labels as two plain arrays, too (store/npy_pair.hpp)
  bool force = false;     ///< replace a finished set, drop an unfinished state
};

struct ExtractReport {
  std::uint64_t rows = 0;
  std::uint64_t failed = 0;
  std::uint64_t resumed = 0;   ///< items whose result was taken over from a run that was stopped
  bool nothing_to_do = false;  ///< the set is finished and its inputs are unchanged
  std::optional<FailedItem> first_failure;
};

using ExtractProgress = std::function<void(std::uint64_t done, std::uint64_t failed)>;

/// The encoder is opened only if there is something to do; preset, fingerprint and options are known before.
struct EncoderChoice {
  Preset preset;
  std::string fingerprint;
  EncoderOptions options = {};
  std::function<std::unique_ptr<Encoder>()> open;
};

/// What a user says of an encoder.
struct EncoderRequest {
  std::string model;                        ///< name of a preset, or path of one
  std::optional<std::string> weights = {};  ///< instead of the preset's own
  PresetChanges changes = {};
  EncoderOptions options = {};
  bool reads_text = false;  ///< it must read texts, too
};

/// Resolves a preset and weights file, hashing but not loading the weights. The preset's own, at weights_path(preset),
/// are taken unless others are named. Throws MissingInput, and DamagedFile if the preset's own are not what it says.
EncoderChoice choose_encoder(const Preset& preset, const std::optional<std::string>& weights_file,
                             const EncoderOptions& options = {});

/// As above, for the preset that is asked for. Throws Incompatible if it must read texts and does not.
EncoderChoice choose_encoder(const EncoderRequest& request);

/// Throws Incompatible if the preset's network reads no texts, and MissingInput or DamagedFile if its vocabulary is not
/// here or not sound: before hours of work rather than after.
void check_text_tower(const Preset& preset);

/// Throws OutputError (a finished set is there and not unchanged, without `force`), Incompatible (an unfinished state
/// of other arguments), Locked, MissingInput (all items failed, or max_failures reached: the state is kept).
ExtractReport extract(const Listing& listing, const EncoderChoice& encoder, const ExtractOptions& options,
                      const ExtractProgress& progress = {});

/// Texts into a set, in the same way: a row's path is its text. Of the options `batch` and `decode` do not matter, and
/// `label` is "none" or a TSV. A text that has a problem, or is too large, fails. Says in a warning what was cut.
ExtractReport extract_texts(const Listing& texts, const TextPrompts& prompts, const EncoderChoice& encoder,
                            const ExtractOptions& options, const ExtractProgress& progress = {});

}  // namespace cbir
