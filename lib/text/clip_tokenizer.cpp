#include <cbir/text/clip_tokenizer.hpp>

#include <fmt/format.h>
#include <unicode/locid.h>
#include <unicode/uchar.h>
#include <unicode/unistr.h>

#include <algorithm>

#include <cbir/base/error.hpp>
#include <cbir/base/text.hpp>

#include "byte_pairs.hpp"
#include "gunzip.hpp"
#include "html.hpp"
#include "repair.hpp"

namespace cbir {
namespace {

using icu::UnicodeString;

constexpr std::size_t kMaxVocabulary = 16 << 20;  // bytes; CLIP's has 3 MB
constexpr UChar32 kLongS = 0x17F;
constexpr UChar32 kYpogegrammeni = 0x345;
constexpr std::string_view kStart = "<|startoftext|>", kEnd = "<|endoftext|>";
/// What is split off wherever it stands, tried in this order.
constexpr std::string_view kFixed[] = {kStart, kEnd, "'s", "'t", "'re", "'ve", "'m", "'ll", "'d"};

/// What a piece of text is made of.
enum class Kind { space, letter, number, other };

Kind kind_of(UChar32 c) {
  const std::uint32_t category = 1U << u_charType(c);
  if (category & U_GC_L_MASK) return Kind::letter;
  if (category & U_GC_N_MASK) return Kind::number;
  // The original's expression ignores case, and Python's `regex` then takes this mark for its letter iota where letters
  // are excluded, but not where they are wanted: it falls out.
  if (u_isUWhiteSpace(c) || c == kYpogegrammeni) return Kind::space;
  return Kind::other;
}

/// Runs of white space as one space, none at the ends.
UnicodeString collapse_spaces(const UnicodeString& text) {
  UnicodeString out;
  bool pending = false;
  for (std::int32_t i = 0; i < text.length(); i = text.moveIndex32(i, 1)) {
    const UChar32 c = text.char32At(i);
    if (u_isUWhiteSpace(c)) {
      pending = !out.isEmpty();
    } else {
      if (pending) out.append(u' ');
      pending = false;
      out.append(c);
    }
  }
  return out;
}

UnicodeString clean(std::string_view utf8) {
  const auto text = UnicodeString::fromUTF8(icu::StringPiece(utf8.data(), static_cast<std::int32_t>(utf8.size())));
  return collapse_spaces(text::unescape_html(text::unescape_html(text::repair(text)))).toLower(icu::Locale::getRoot());
}

/// Whether `fixed` stands at `at`, case ignored: lower case letters differ only in the long s.
bool stands_at(std::string_view fixed, const UnicodeString& text, std::int32_t at) {
  for (const char wanted : fixed) {
    const UChar32 c = text.charAt(at++);
    if (c != wanted && !(wanted == 's' && c == kLongS)) return false;
  }
  return true;
}

/// Where the piece at `at` ends: a fixed one, a run of letters, one number, or a run of anything else.
std::int32_t piece_end(const UnicodeString& text, std::int32_t at, Kind kind) {
  const char16_t first = text.charAt(at);
  if (first == '<' || first == '\'')
    for (const std::string_view fixed : kFixed)
      if (stands_at(fixed, text, at)) return at + static_cast<std::int32_t>(fixed.size());
  do at = text.moveIndex32(at, 1);
  while (kind != Kind::number && at < text.length() && kind_of(text.char32At(at)) == kind);
  return at;
}

}  // namespace

struct ClipTokenizer::Vocabulary {
  text::BytePairs pairs;
};

ClipTokenizer::ClipTokenizer(Bytes merges_gz, const std::string& name, std::size_t merges) {
  const std::string content = text::gunzip(merges_gz, name, kMaxVocabulary);
  const auto lines = static_cast<std::size_t>(std::count(content.begin(), content.end(), '\n'));
  if (lines < merges + 1)
    throw DamagedFile(
        fmt::format("{}: {}, expected one of header and {} of merges; is this another file than CLIP's "
                    "vocabulary?",
                    display_path(name), counted(lines, "line"), merges));
  const auto body = std::string_view(content).substr(content.find('\n') + 1);
  vocabulary_ = std::make_unique<Vocabulary>(Vocabulary{text::BytePairs(body, merges, name, 2)});
}

ClipTokenizer::~ClipTokenizer() = default;
ClipTokenizer::ClipTokenizer(ClipTokenizer&&) noexcept = default;
ClipTokenizer& ClipTokenizer::operator=(ClipTokenizer&&) noexcept = default;

std::size_t ClipTokenizer::size() const { return vocabulary_->pairs.size() + 2; }

std::vector<std::int32_t> ClipTokenizer::encode(std::string_view text) const {
  if (text.size() > kMaxBytes)
    throw ResourceLimit(
        fmt::format("a text of {}; at most {} are read", human_bytes(text.size()), human_bytes(kMaxBytes)));
  if (!is_utf8(text))
    throw DamagedFile(fmt::format("not UTF-8: {}; convert it, e.g. with iconv -f latin1 -t utf-8", display_path(text)));

  const UnicodeString cleaned = clean(text);
  std::vector<std::int32_t> tokens;
  std::string word;
  for (std::int32_t at = 0; at < cleaned.length();) {
    const Kind kind = kind_of(cleaned.char32At(at));
    if (kind == Kind::space) {
      at = cleaned.moveIndex32(at, 1);
      continue;
    }
    const std::int32_t end = piece_end(cleaned, at, kind);
    word.clear();
    cleaned.tempSubStringBetween(at, end).toUTF8String(word);
    if (word == kStart) tokens.push_back(start_token());
    else if (word == kEnd) tokens.push_back(end_token());
    else vocabulary_->pairs.encode(word, tokens);
    at = end;
  }
  return tokens;
}

ClipText ClipTokenizer::tokenize(std::string_view text, std::size_t context) const {
  if (context < 2) throw Error(ExitCode::internal, "a text tower's context holds at least 2 tokens");
  ClipText out;
  out.tokens = encode(text);
  out.tokens.insert(out.tokens.begin(), start_token());
  out.tokens.push_back(end_token());
  out.needed = out.tokens.size();
  out.tokens.resize(context, 0);
  if (out.truncated()) out.tokens.back() = end_token();
  return out;
}

}  // namespace cbir
