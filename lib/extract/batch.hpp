#pragma once
/// One batch from files to the lines and vectors that it adds to a set.

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <cbir/encoder/encoder.hpp>
#include <cbir/extract/extract.hpp>
#include <cbir/extract/picture.hpp>

#include "reuse.hpp"
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
  const Reuse* reuse = nullptr;        ///< what need not be done
  const Detector* detector = nullptr;  ///< rows are what it finds in pictures; null: whole pictures, or given boxes
};

/// A failure of a listed item; `name` is what the row would have been called.
FailedItem failed_item(const ListedFile& listed, const std::string& name, std::uint64_t seq,
                       const LoadFailure& failure);

/// A failure, or a row, of an earlier set as that of listing.files[number], whose place, label and time may be others.
FailedItem kept_failure(const BatchContext& context, std::size_t number, const Reuse::Place& place);
RowInfo kept_row(const BatchContext& context, std::size_t number, RowInfo row, std::int64_t mtime);

/// The line of the row that listing.files[number], or a part of it, becomes.
RowInfo row_of(const BatchContext& context, const ListedFile& listed, const std::string& name, std::size_t number,
               const LoadedPicture& picture);

/// Memory of one thread, kept from batch to batch, as the strings of a BatchOutput are. Blocks that were made anew for
/// each batch and outlive the network's run would come to lie between its activations, which would find fewer and fewer
/// gaps that fit: the process grows with the number of batches.
struct BatchBuffers {
  std::vector<Image> inputs;         ///< preprocessed pictures, by slot; one without pixels failed or doesn't exist
  std::vector<std::size_t> slot_of;  ///< the good pictures' slots
  std::vector<std::pair<std::size_t, Reuse::Place>> taken;  ///< slots whose vectors are taken over
  std::vector<float> vectors;                               ///< by slot
  std::vector<std::byte> items;                             ///< the good pictures' vectors, as they are stored
  std::string opened_path;  ///< of the picture that is open, of which the next item may be another part
  OpenedPicture opened;
};

/// Items [first, first + options.batch) of the list, as far as it goes, into `output`. Whatever is wrong with a picture
/// is a failure of that picture; what is wrong with the encoder is thrown.
///
/// The encoder always gets a whole batch: slots of pictures that failed or don't exist are empty. So a row depends only
/// on its picture, its slot and the size of a batch.
void process_batch(const BatchContext& context, std::size_t first, BatchBuffers& buffers, BatchOutput& output);

/// The same where rows are regions, found in each picture: one after the other they fill the slots of as many calls of
/// the encoder as they need. So a row depends on its picture, and on how many regions the pictures before it in its
/// batch have.
void process_regions(const BatchContext& context, std::size_t first, BatchBuffers& buffers, BatchOutput& output);

}  // namespace cbir
