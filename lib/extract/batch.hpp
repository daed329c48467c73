#pragma once
/// One batch from files to the lines and vectors that it adds to a set.

#include <optional>
#include <string>

#include <cbir/encoder/encoder.hpp>
#include <cbir/extract/extract.hpp>
#include <cbir/store/labels.hpp>

#include "state.hpp"

namespace cbir {

/// Where labels come from, by ExtractOptions::label.
class Labels {
 public:
  /// Throws MissingInput or DamagedFile for the TSV.
  explicit Labels(const std::string& source);

  /// Throws Incompatible if the TSV has no label for the path, or several.
  std::optional<std::string> of(const std::string& path) const;

  /// What the labels depend on, for Arguments.
  const std::string& identity() const noexcept { return identity_; }

 private:
  std::string identity_;
  std::optional<LabelTable> table_;
};

/// Everything that a batch needs to know. Shared by all threads.
struct BatchContext {
  const Listing& listing;
  const ExtractOptions& options;
  const Encoder& encoder;
  const Labels& labels;
};

/// Items [first, first + options.batch) of the list, as far as it goes. Whatever is wrong with a picture is a failure
/// of that picture; what is wrong with the encoder is thrown.
///
/// The network always gets a whole batch: slots of pictures that failed or don't exist are black. So a row depends only
/// on its picture, its slot and the size of a batch, since it may depend on the latter two.
BatchOutput process_batch(const BatchContext& context, std::size_t first);

}  // namespace cbir
