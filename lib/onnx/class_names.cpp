#include "class_names.hpp"

#include <cstddef>
#include <optional>

namespace cbir::onnx {
namespace {

/// Goes through the text, without blanks between what it finds.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : rest_(text) {}

  bool take(char wanted) {
    skip_blanks();
    if (rest_.empty() || rest_[0] != wanted) return false;
    rest_.remove_prefix(1);
    return true;
  }

  bool take_number(std::size_t wanted) {
    skip_blanks();
    const std::string digits = std::to_string(wanted);
    if (!rest_.starts_with(digits)) return false;
    rest_.remove_prefix(digits.size());
    return true;
  }

  /// Between single or double quotes; a backslash stands before a quote or another.
  std::optional<std::string> take_string() {
    skip_blanks();
    if (rest_.empty() || (rest_[0] != '\'' && rest_[0] != '"')) return {};
    const char quote = rest_[0];
    std::string out;
    for (std::size_t i = 1; i < rest_.size(); ++i) {
      if (rest_[i] == quote) {
        rest_.remove_prefix(i + 1);
        return out;
      }
      if (rest_[i] == '\\' && i + 1 < rest_.size()) ++i;
      out += rest_[i];
    }
    return {};
  }

  bool at_end() {
    skip_blanks();
    return rest_.empty();
  }

 private:
  void skip_blanks() {
    while (!rest_.empty() && (rest_[0] == ' ' || rest_[0] == '\n' || rest_[0] == '\t')) rest_.remove_prefix(1);
  }

  std::string_view rest_;
};

}  // namespace

std::vector<std::string> class_names(std::string_view text) {
  Scanner scanner(text);
  const bool dict = scanner.take('{');
  if (!dict && !scanner.take('[')) return {};
  std::vector<std::string> names;
  const char end = dict ? '}' : ']';
  while (!scanner.take(end)) {
    if (!names.empty() && !scanner.take(',')) return {};
    if (dict && !(scanner.take_number(names.size()) && scanner.take(':'))) return {};
    auto name = scanner.take_string();
    if (!name) return {};
    names.push_back(std::move(*name));
  }
  return scanner.at_end() ? names : std::vector<std::string>();
}

}  // namespace cbir::onnx
