#pragma once
/// A group of pictures on their way to being asked with.

#include <optional>
#include <span>
#include <string>
#include <vector>

#include <cbir/query/query.hpp>

namespace cbir {

/// Pictures, each in a slot of its own. One that failed is left empty.
struct PictureGroup {
  PictureGroup(const Encoder& with, std::size_t size)
      : encoder(with), inputs(size), embeddings(size * with.dim()), failures(size) {}

  /// Reads, decodes and encodes the pictures, as many as the group has room for, in parallel; `first` is the position
  /// of the first one in the list, for failures.
  void encode(std::span<const std::string> paths, std::size_t first, const ImageQueryOptions& options);

  const Encoder& encoder;
  std::vector<Image> inputs;
  std::vector<float> embeddings;
  std::vector<std::optional<FailedItem>> failures;
};

}  // namespace cbir
