#pragma once
/// One batch from files to the lines and vectors that it adds to a set.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <cbir/encoder/encoder.hpp>
#include <cbir/extract/extract.hpp>

#include "state.hpp"

namespace cbir {

/// The labels of a list's files, by ExtractOptions::label. Those of a TSV are looked up at once, so that one that is
/// missing or ambiguous shows before hours of work, and the table with its paths need not stay in memory.
class Labels {
 public:
  /// Throws MissingInput or DamagedFile for the TSV, and Incompatible if it has no label for a file, or several.
  Labels(const std::string& source, const FileList& files);

  /// Of files[seq], whose path is `path`.
  std::optional<std::string> of(std::size_t seq, const std::string& path) const;

  /// What the labels depend on, for Arguments.
  const std::string& identity() const noexcept { return identity_; }

 private:
  std::string identity_;
  std::vector<std::string> names_;        ///< of a TSV, each once; the first is empty, for files without a label
  std::vector<std::uint32_t> number_of_;  ///< of each file's label in names_; empty without a TSV
};

/// Everything that a batch needs to know. Shared by all threads.
struct BatchContext {
  const Listing& listing;
  const ExtractOptions& options;
  const Encoder& encoder;
  const Labels& labels;
};

/// Memory of one thread, kept from batch to batch, as the strings of a BatchOutput are. Blocks that were made anew for
/// each batch and outlive the network's run would come to lie between its activations, which would find fewer and fewer
/// gaps that fit: the process grows with the number of batches.
struct BatchBuffers {
  std::vector<Image> inputs;         ///< preprocessed pictures, by slot; one without pixels failed or doesn't exist
  std::vector<std::size_t> slot_of;  ///< the good pictures' slots
  std::vector<float> vectors;        ///< by slot
  std::vector<std::byte> items;      ///< the good pictures' vectors, as they are stored
};

/// Items [first, first + options.batch) of the list, as far as it goes, into `output`. Whatever is wrong with a picture
/// is a failure of that picture; what is wrong with the encoder is thrown.
///
/// The encoder always gets a whole batch: slots of pictures that failed or don't exist are empty. So a row depends only
/// on its picture, its slot and the size of a batch.
void process_batch(const BatchContext& context, std::size_t first, BatchBuffers& buffers, BatchOutput& output);

}  // namespace cbir
