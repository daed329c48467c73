#include <cbir/store/npy_pair.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <vector>

#include <cbir/base/error.hpp>
#include <cbir/base/file.hpp>
#include <cbir/base/text.hpp>
#include <cbir/store/set.hpp>

namespace cbir {
namespace {

/// Well-formed UTF-8 into characters.
std::u32string characters(std::string_view utf8) {
  std::u32string out;
  for (const char byte : utf8) {
    const auto bits = static_cast<unsigned char>(byte);
    if (bits < 0x80) out += bits;
    else if (bits < 0xc0) out.back() = out.back() << 6 | (bits & 0x3fU);
    else out += bits & (bits < 0xe0 ? 0x1fU : bits < 0xf0 ? 0xfU : 0x7U);
  }
  return out;
}

std::vector<std::u32string> labels_of(const EmbeddingSet& set) {
  std::vector<std::u32string> labels(set.rows());
  for (std::size_t i = 0; i < labels.size(); ++i) {
    const RowInfo row = set.row(i);
    const std::string label = row.label.value_or("");
    if (!is_utf8(label))
      throw Incompatible(fmt::format("{}: the label of {} is not UTF-8, as NumPy's strings are: {}",
                                     display_path(set.name()), display_path(row.path), display_path(label)));
    labels[i] = characters(label);
  }
  return labels;
}

std::string categories_of(const EmbeddingSet& set) {
  const std::vector<std::u32string> labels = labels_of(set);
  std::size_t width = 1;
  for (const std::u32string& label : labels) width = std::max(width, label.size());
  std::string file = npy_strings_header(labels.size(), width);
  for (std::u32string label : labels) {
    label.resize(width);  // NumPy pads with NULs
    file += as_text(std::as_bytes(std::span(label)));
  }
  return file;
}

void write_unless_there(const std::string& path, std::string_view content, bool overwrite) {
  if (exists(path)) {
    if (as_text(MappedFile(path).bytes()) == content) return;
    if (!overwrite)
      throw OutputError(
          fmt::format("{}: exists already, and is not of this set; --force replaces it", display_path(path)));
  }
  write_file(path, content, overwrite);
}

}  // namespace

NpyPair npy_pair(const std::string& set_name) {
  const std::string matrix = set_paths(set_name).npy;
  const std::string_view suffix = matrix.ends_with(kEmbeddingsSuffix) ? kEmbeddingsSuffix : ".npy";
  const std::string stem = matrix.substr(0, matrix.size() - suffix.size());
  return {stem + std::string(kEmbeddingsSuffix), stem + std::string(kCategoriesSuffix)};
}

void refuse_npy_pair(const std::string& set_name) {
  const NpyPair pair = npy_pair(set_name);
  for (const std::string& path : {pair.embeddings, pair.categories})
    if (path != set_paths(set_name).npy && exists(path))
      throw OutputError(fmt::format("{}: exists already; --force replaces it", display_path(path)));
}

void write_npy_pair(const std::string& set_name, bool overwrite) {
  const NpyPair pair = npy_pair(set_name);
  const EmbeddingSet set = EmbeddingSet::open(set_name);
  // The labels first: embeddings that stand alone would be read as such.
  write_unless_there(pair.categories, categories_of(set), overwrite);
  if (pair.embeddings != set.matrix().path())
    write_unless_there(pair.embeddings, as_text(set.matrix().bytes()), overwrite);
}

}  // namespace cbir
