#include "byte_pairs.hpp"

#include <fmt/format.h>

#include <array>
#include <functional>
#include <queue>

#include <cbir/base/error.hpp>
#include <cbir/base/text.hpp>

namespace cbir::text {
namespace {

constexpr std::string_view kEndOfWord = "</w>";

/// Whether GPT-2's alphabet shows a byte as the character of the same number; the others follow from U+0100.
constexpr bool is_shown(unsigned byte) {
  return (byte >= '!' && byte <= '~') || (byte >= 0xA1 && byte <= 0xAC) || byte >= 0xAE;
}

/// Symbol of each byte: shown bytes come first.
constexpr auto kSymbolOfByte = [] {
  std::array<std::int32_t, BytePairs::kBytes> symbols{};
  std::int32_t next = 0;
  for (const bool shown : {true, false})
    for (unsigned byte = 0; byte < BytePairs::kBytes; ++byte)
      if (is_shown(byte) == shown) symbols[byte] = next++;
  return symbols;
}();

/// The character that stands for a byte, as UTF-8.
std::string character_of(unsigned byte) {
  constexpr std::int32_t kShown = 188;
  const unsigned code = is_shown(byte) ? byte : 0x100 + static_cast<unsigned>(kSymbolOfByte[byte] - kShown);
  if (code < 0x80) return std::string(1, static_cast<char>(code));
  return {static_cast<char>(0xC0 | code >> 6), static_cast<char>(0x80 | (code & 0x3F))};
}

constexpr std::uint64_t pair_of(std::int32_t a, std::int32_t b) {
  return static_cast<std::uint64_t>(a) << 32 | static_cast<std::uint32_t>(b);
}

}  // namespace

BytePairs::BytePairs(std::string_view lines, std::size_t count, const std::string& name, std::size_t first_line) {
  std::unordered_map<std::string, std::int32_t> symbols;
  symbols.reserve(2 * kBytes + count);
  for (unsigned byte = 0; byte < kBytes; ++byte) {
    const std::int32_t symbol = kSymbolOfByte[byte];
    symbols.emplace(character_of(byte), symbol);
    symbols.emplace(character_of(byte).append(kEndOfWord), symbol + static_cast<std::int32_t>(kBytes));
  }

  merges_.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    const std::string_view line = lines.substr(0, lines.find('\n'));
    const auto fail = [&](std::string_view what) {
      throw DamagedFile(fmt::format("{}: line {} is {}, {}; is this another file than CLIP's vocabulary?",
                                    display_path(name), first_line + i, display_path(line.substr(0, 80)), what));
    };
    const std::size_t space = line.find(' ');
    if (space == std::string_view::npos) fail("expected two symbols");
    const auto a = symbols.find(std::string(line.substr(0, space)));
    const auto b = symbols.find(std::string(line.substr(space + 1)));
    if (a == symbols.end() || b == symbols.end()) fail("which joins symbols that no line before it made");
    const auto symbol = static_cast<std::int32_t>(2 * kBytes + i);
    if (!symbols.emplace(a->first + b->first, symbol).second) fail("which makes a symbol for the second time");
    merges_.emplace(pair_of(a->second, b->second), symbol);
    lines.remove_prefix(std::min(line.size() + 1, lines.size()));
  }
}

std::int32_t BytePairs::merged(std::int32_t a, std::int32_t b) const {
  const auto found = merges_.find(pair_of(a, b));
  return found == merges_.end() ? -1 : found->second;
}

void BytePairs::encode(std::string_view word, std::vector<std::int32_t>& out) const {
  if (word.empty()) return;
  // A list of symbols, linked over those that were swallowed by the one before them (negative).
  struct Node {
    std::int32_t symbol;
    std::size_t previous, next;
  };
  std::vector<Node> nodes(word.size());
  const std::size_t end = word.size();
  for (std::size_t i = 0; i < end; ++i)
    nodes[i] = {kSymbolOfByte[static_cast<unsigned char>(word[i])], i - 1,
                i + 1};  // the first has none before: never used
  nodes.back().symbol += static_cast<std::int32_t>(kBytes);

  // Merges that are possible, the first learned and leftmost on top. A merge is learned after those that made its
  // parts, so a new pair never precedes the same merge further right.
  using Candidate = std::pair<std::int32_t, std::size_t>;
  std::priority_queue<Candidate, std::vector<Candidate>, std::greater<>> candidates;
  const auto consider = [&](std::size_t i) {
    if (nodes[i].next == end) return;
    const std::int32_t symbol = merged(nodes[i].symbol, nodes[nodes[i].next].symbol);
    if (symbol >= 0) candidates.emplace(symbol, i);
  };
  for (std::size_t i = 0; i < end; ++i) consider(i);
  while (!candidates.empty()) {
    const auto [symbol, i] = candidates.top();
    candidates.pop();
    Node& node = nodes[i];
    if (node.symbol < 0 || node.next == end || merged(node.symbol, nodes[node.next].symbol) != symbol) continue;
    Node& swallowed = nodes[node.next];
    node.symbol = symbol;
    node.next = swallowed.next;
    swallowed.symbol = -1;
    if (node.next != end) nodes[node.next].previous = i;
    consider(i);
    if (i != 0) consider(node.previous);
  }
  for (std::size_t i = 0; i != end; i = nodes[i].next) out.push_back(nodes[i].symbol);
}

}  // namespace cbir::text
