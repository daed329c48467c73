#pragma once
/// Labels of paths: from the parent folder's name, or from a TSV.

#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

namespace cbir {

/// "a/b/c.jpg" -> "b"; nothing for a path without a folder.
std::optional<std::string> parent_label(std::string_view path);

/// A TSV of `path, label, more columns ignored`. A path of the TSV matches a path of the set if it equals whole
/// trailing components of it ("val_0.JPEG" or "images/val_0.JPEG" match "val/images/val_0.JPEG"). Fields are unescaped
/// as the TSV writers escape them; a leading "./" does not count.
class LabelTable {
 public:
  /// Throws MissingInput, or DamagedFile naming the line that has no second column.
  explicit LabelTable(const std::string& tsv_path);

  /// Nothing if the table has an empty label for it. Throws Incompatible if no line matches, or lines with different
  /// labels do.
  std::optional<std::string> label_of(std::string_view path) const;

 private:
  struct Entry {
    std::string label;
    std::size_t line;        ///< where it was first named
    std::size_t other_line;  ///< where another label is given for the same path; 0 if nowhere
  };

  std::string name_;
  std::unordered_map<std::string, Entry> entries_;  ///< by path as the TSV has it
};

}  // namespace cbir
