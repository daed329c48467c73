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
#include <cbir/extract/regions.hpp>
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
  std::optional<RegionOptions> regions = {};  ///< rows are what is found in the pictures; without `update`
  bool npy_pair = false;            ///< write embeddings and labels as two plain arrays, too (store/npy_pair.hpp)
  bool force = false;               ///< replace a finished set, drop an unfinished state
  bool update = false;              ///< bring a finished set up to date, taking over what did not change
  bool checksum = false;            ///< update: compare files by content, not by size, time of change and inode
  bool retry_failed = false;        ///< update: try again what failed, though its file is unchanged
  std::function<bool()> stop = {};  ///< asked before each batch: whether to end once what was begun is recorded
};

/// What became of a list's items since the set was made.
struct Changes {
  std::uint64_t added = 0;      ///< not there before
  std::uint64_t changed = 0;    ///< of other content, or failed where it had not, or the other way round
  std::uint64_t moved = 0;      ///< not there before, but another of its content was, and is there no more
  std::uint64_t deleted = 0;    ///< not there any more
  std::uint64_t unchanged = 0;  ///< of the same content, or failed before and unchanged

  bool operator==(const Changes&) const = default;
};

struct ExtractReport {
  std::uint64_t rows = 0;
  std::uint64_t failed = 0;
  std::uint64_t resumed = 0;   ///< items whose result was taken over from a run that was stopped
  bool nothing_to_do = false;  ///< the set is finished and its inputs are unchanged
  bool stopped = false;        ///< as ExtractOptions::stop wanted; the same call goes on, and there is no set yet
  std::uint64_t done = 0;      ///< items that are recorded
  std::optional<FailedItem> first_failure;
  std::optional<Changes> changes;  ///< of an update
  std::uint64_t encoded = 0;       ///< items that went through the network in this call
};

using ExtractProgress = std::function<void(std::uint64_t done, std::uint64_t failed)>;

/// The encoder is opened only if there is something to do; preset, fingerprint and options are known before.
struct EncoderChoice {
  Preset preset;
  std::string fingerprint;
  EncoderOptions options = {};
  std::function<std::unique_ptr<Encoder>()> open;
  std::uint64_t weights_bytes = 0;  ///< of the file that open() reads
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
