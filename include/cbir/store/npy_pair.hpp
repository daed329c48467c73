#pragma once
/// Embeddings and their categories as two plain arrays, X_Embeddings.npy and X_Categories.npy: the layout in which
/// embeddings of Tiny ImageNet are passed around. EmbeddingSet::open() reads it.

#include <string>
#include <string_view>

namespace cbir {

inline constexpr std::string_view kEmbeddingsSuffix = "_Embeddings.npy", kCategoriesSuffix = "_Categories.npy";

struct NpyPair {
  std::string embeddings, categories;
};

/// The pair that belongs to a set: of NAME, or of NAME_Embeddings, whose own matrix is then the first of the two.
NpyPair npy_pair(const std::string& set_name);

/// Throws OutputError if a file of the pair is there.
void refuse_npy_pair(const std::string& set_name);

/// Writes the pair of a finished set: the matrix again, and the labels as numpy.save writes an array of strings, with
/// the empty string for a row without. Files that are there and right are left alone. Throws OutputError (others are
/// there, without `overwrite`), Incompatible (a label is not UTF-8), and as EmbeddingSet::open().
void write_npy_pair(const std::string& set_name, bool overwrite);

}  // namespace cbir
