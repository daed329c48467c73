#pragma once
/// CLIP's tokenizer: text into the numbers that the text tower of a CLIP encoder reads.
///
/// It gives what the original (simple_tokenizer.py of github.com/openai/CLIP) gives, token by token. Text is repaired,
/// HTML references are resolved twice, whitespace is collapsed and letters are made lower case; then it is split into
/// words, numbers and punctuation, whose UTF-8 bytes are joined by byte-pair encoding.
///
/// The original's repair is ftfy's fix_text: here are C1 controls as Windows-1252, ligatures, full and half width,
/// curly quotes, line ends, terminal escapes, control characters and NFC, but not the guess that text was decoded by
/// the wrong encoding ("schÃ¶n" for "schön"): such text is taken as it stands.
///
/// Letters, numbers and case are those of ICU's version of Unicode. Characters that a newer Unicode added may be split
/// otherwise than by an original whose tables are older or newer.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <cbir/base/bytes.hpp>

namespace cbir {

/// What a text tower reads: {start, tokens of the text, end, 0, 0, ...}.
struct ClipText {
  std::vector<std::int32_t> tokens;  ///< as many as the context holds
  std::size_t needed = 0;            ///< tokens that the whole text takes, start and end included

  /// Whether the end of the text was cut off: then the last token is the end token.
  bool truncated() const { return needed > tokens.size(); }
};

class ClipTokenizer {
 public:
  static constexpr std::size_t kContext = 77;        ///< tokens that OpenAI's text towers read
  static constexpr std::size_t kMerges = 48894;      ///< merges of CLIP's vocabulary, of 49408 tokens
  static constexpr std::size_t kMaxBytes = 1000000;  ///< in a text

  /// `merges_gz`: bpe_simple_vocab_16e6.txt.gz: after one line of header a merge a line, two symbols and a space
  /// between; what follows the first `merges` is not used. `name` is the file's name, for messages.
  /// Tokens are numbered: 256 bytes, 256 bytes that end a word, merges, start, end. Throws DamagedFile.
  ClipTokenizer(Bytes merges_gz, const std::string& name, std::size_t merges = kMerges);
  ~ClipTokenizer();
  ClipTokenizer(ClipTokenizer&&) noexcept;
  ClipTokenizer& operator=(ClipTokenizer&&) noexcept;

  /// Different tokens: 49408.
  std::size_t size() const;
  std::int32_t start_token() const { return static_cast<std::int32_t>(size() - 2); }
  std::int32_t end_token() const { return static_cast<std::int32_t>(size() - 1); }

  /// The tokens of a UTF-8 text, without start and end. "<|startoftext|>" and "<|endoftext|>" in it are those tokens,
  /// as in the original. Thread-safe. Throws DamagedFile if the text is not UTF-8, ResourceLimit if it is above
  /// kMaxBytes or its HTML references are nested more than 32 deep.
  std::vector<std::int32_t> encode(std::string_view text) const;

  /// The same as a row of `context` tokens, at least 2; a text that is too long is cut. The caller says so.
  ClipText tokenize(std::string_view text, std::size_t context = kContext) const;

 private:
  struct Vocabulary;
  std::unique_ptr<const Vocabulary> vocabulary_;
};

}  // namespace cbir
