#pragma once
/// Byte-pair encoding: the bytes of a word are joined, pair by pair, by the merge that was learned first.
/// Sennrich, Haddow and Birch, Neural Machine Translation of Rare Words with Subword Units, 2016.

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace cbir::text {

class BytePairs {
 public:
  /// A byte is a symbol, numbered by the order of GPT-2's alphabet; with 256 added it ends a word.
  static constexpr std::size_t kBytes = 256;

  /// The first `count` lines of `lines`, each a merge: the two symbols as text (GPT-2's alphabet, "</w>" at a word's
  /// end) with a space between. Merge i is the symbol 2 * kBytes + i. Throws DamagedFile naming the line, counted from
  /// `first_line`, unless every merge joins two symbols that are there already to one that is not.
  BytePairs(std::string_view lines, std::size_t count, const std::string& name, std::size_t first_line);

  /// Symbols.
  std::size_t size() const { return 2 * kBytes + merges_.size(); }

  /// Appends the symbols of a word. Time grows with n log n of its bytes.
  void encode(std::string_view word, std::vector<std::int32_t>& out) const;

 private:
  /// The symbol that a and b make together; negative if there is none.
  std::int32_t merged(std::int32_t a, std::int32_t b) const;

  std::unordered_map<std::uint64_t, std::int32_t> merges_;
};

}  // namespace cbir::text
