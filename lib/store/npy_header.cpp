/// The head of a .npy file: a Python literal, read by a parser that knows just what the format allows.

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include <cbir/base/error.hpp>
#include <cbir/base/text.hpp>
#include <cbir/store/npy.hpp>

namespace cbir {
namespace {

constexpr std::string_view kMagic = "\x93NUMPY";
constexpr std::size_t kMaxDimensions = 64;  // NumPy's own limit

/// {'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }: keys in any order, each once, none other.
class HeaderParser {
 public:
  HeaderParser(std::string_view text, std::size_t file_offset, const std::string& name)
      : text_(text), file_offset_(file_offset), name_(name) {}

  NpyHeader parse() {
    NpyHeader header;
    std::array<bool, 3> seen = {};
    expect('{');
    while (!accept('}')) {
      const std::string key = string();
      expect(':');
      const auto known = std::find(kKeys.begin(), kKeys.end(), key);
      if (known == kKeys.end()) fail(fmt::format("unknown key '{}'", display_path(key)));
      const auto index = static_cast<std::size_t>(known - kKeys.begin());
      if (std::exchange(seen[index], true)) fail(fmt::format("key '{}' is there twice", key));
      if (index == 0) header.descr = descr();
      if (index == 1) header.fortran_order = boolean();
      if (index == 2) header.shape = shape();
      if (!accept(',')) {
        expect('}');
        break;
      }
    }
    skip_space();
    if (at_ != text_.size()) fail("more text after the closing brace");
    for (std::size_t i = 0; i < seen.size(); ++i)
      if (!seen[i]) fail(fmt::format("no key '{}'", kKeys[i]));
    return header;
  }

 private:
  static constexpr std::array<std::string_view, 3> kKeys = {"descr", "fortran_order", "shape"};

  [[noreturn]] void fail(const std::string& what) const {
    throw DamagedFile(
        fmt::format("{}: damaged .npy header at byte {}: {}", display_path(name_), file_offset_ + at_, what));
  }

  void skip_space() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n')) ++at_;
  }

  bool accept(char wanted) {
    skip_space();
    if (at_ == text_.size() || text_[at_] != wanted) return false;
    ++at_;
    return true;
  }

  void expect(char wanted) {
    if (!accept(wanted)) fail(fmt::format("'{}' expected", wanted));
  }

  bool accept_word(std::string_view word) {
    skip_space();
    if (!text_.substr(at_).starts_with(word)) return false;
    at_ += word.size();
    return true;
  }

  std::string string() {
    skip_space();
    const char quote = at_ < text_.size() ? text_[at_] : '\0';
    if (quote != '\'' && quote != '"') fail("a string expected");
    const std::size_t end = text_.find(quote, at_ + 1);
    if (end == std::string_view::npos) fail("a string that does not end");
    const std::string_view content = text_.substr(at_ + 1, end - at_ - 1);
    if (content.find('\\') != std::string_view::npos) fail("a string with a backslash");
    at_ = end + 1;
    return std::string(content);
  }

  std::string descr() {
    skip_space();
    if (at_ < text_.size() && text_[at_] == '[')
      throw Incompatible(fmt::format("{}: found a structured array, expected plain numbers: save one field of it",
                                     display_path(name_)));
    return string();
  }

  bool boolean() {
    if (accept_word("True")) return true;
    if (!accept_word("False")) fail("True or False expected");
    return false;
  }

  std::vector<std::uint64_t> shape() {
    std::vector<std::uint64_t> sides;
    expect('(');
    while (!accept(')')) {
      skip_space();
      const std::size_t end = std::min(text_.find_first_not_of("0123456789", at_), text_.size());
      std::uint64_t side = 0;
      if (!parse_number(text_.substr(at_, end - at_), side)) fail("a length of 0 to 2^64 - 1 expected");
      at_ = end;
      sides.push_back(side);
      if (sides.size() > kMaxDimensions) fail("more than 64 dimensions");
      if (!accept(',')) {
        if (sides.size() == 1) fail("'(3)' is a number in Python, not a shape");
        expect(')');
        break;
      }
    }
    return sides;
  }

  std::string_view text_;
  std::size_t file_offset_;
  const std::string& name_;
  std::size_t at_ = 0;
};

}  // namespace

NpyHeader parse_npy_header(Bytes file, const std::string& name) {
  if (!as_text(file).starts_with(kMagic))
    throw DamagedFile(fmt::format("{}: not a .npy file: it does not begin with \\x93NUMPY", display_path(name)));
  ByteReader reader(file, name);
  reader.take(kMagic.size(), "the magic");
  const auto major = reader.read<std::uint8_t>("the version");
  const auto minor = reader.read<std::uint8_t>("the version");
  if (major < 1 || major > 3 || minor != 0)
    throw DamagedFile(fmt::format("{}: found version {}.{} of the .npy format, expected 1.0, 2.0 or 3.0",
                                  display_path(name), major, minor));
  const std::size_t length = major == 1 ? reader.read<std::uint16_t>("the header's length")
                                        : reader.read<std::uint32_t>("the header's length");
  const std::size_t start = reader.offset();
  const std::string_view text = as_text(reader.take(length, "the header"));
  NpyHeader header = HeaderParser(text, start, name).parse();
  header.data_offset = reader.offset();
  return header;
}

namespace {

/// The head of version 1.0 around a literal, padded to a multiple of 64 bytes and at least `reserve`.
std::string head_of(std::string text, std::size_t reserve) {
  constexpr std::size_t kPrefix = 10, kAlignment = 64;
  const std::size_t least = std::max(reserve, kPrefix + text.size() + 1);
  const std::size_t total = (least + kAlignment - 1) / kAlignment * kAlignment;
  text.resize(total - kPrefix - 1, ' ');
  text += '\n';
  const std::size_t length = total - kPrefix;
  std::string header(kMagic);
  header += {'\x01', '\0', static_cast<char>(length & 0xff), static_cast<char>(length >> 8)};
  return header + text;
}

}  // namespace

std::string npy_header(Dtype dtype, std::uint64_t rows, std::uint64_t cols, std::size_t reserve) {
  return head_of(fmt::format("{{'descr': '{}', 'fortran_order': False, 'shape': ({}, {}), }}",
                             dtype == Dtype::float32 ? "<f4" : "<f2", rows, cols),
                 reserve);
}

std::string npy_strings_header(std::uint64_t count, std::uint64_t width) {
  return head_of(fmt::format("{{'descr': '<U{}', 'fortran_order': False, 'shape': ({},), }}", width, count), 128);
}

}  // namespace cbir
