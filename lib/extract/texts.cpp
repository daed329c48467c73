#include <cbir/extract/texts.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include <cbir/base/error.hpp>
#include <cbir/base/excerpt.hpp>
#include <cbir/base/file.hpp>
#include <cbir/base/text.hpp>

namespace cbir {
namespace {

/// The average of the rows, of length 1 if `unit`; sums in double precision and in order.
void average(MatrixView<const float> vectors, bool unit, std::span<float> out, std::string_view text) {
  std::vector<double> sum(vectors.cols);
  for (std::size_t i = 0; i < vectors.rows; ++i)
    for (std::size_t j = 0; j < vectors.cols; ++j) sum[j] += vectors.row(i)[j];
  double squares = 0;
  for (const double x : sum) squares += x * x;
  const double scale = unit ? std::sqrt(squares) : static_cast<double>(vectors.rows);
  if (scale == 0)
    throw Incompatible(fmt::format("the vectors of {} in its templates cancel each other out", excerpt(text)));
  for (std::size_t j = 0; j < vectors.cols; ++j) out[j] = static_cast<float>(sum[j] / scale);
}

}  // namespace

PromptTemplate::PromptTemplate(std::string_view text) {
  const auto fail = [&](std::string_view found) {
    throw UsageError(
        fmt::format("template {}: {}; expected one {{}}, and {{{{ or }}}} for a brace", display_path(text), found));
  };
  bool filled = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    std::string& part = filled ? after_ : before_;
    if (text[i] != '{' && text[i] != '}') {
      part += text[i];
      continue;
    }
    const std::string_view two = text.substr(i, 2);
    if (two == "{}") {
      if (filled) fail("a second {}");
      filled = true;
    } else if (two == "{{" || two == "}}") {
      part += text[i];
    } else {
      fail(fmt::format("a single {}", text[i]));
    }
    ++i;
  }
  if (!filled) fail("no {}");
}

std::optional<std::string> text_problem(std::string_view text) {
  if (text.find_first_not_of(" \t\r\n\f\v") == std::string_view::npos) return "is empty";
  if (!is_utf8(text))
    return fmt::format("is not UTF-8: {}; convert it, e.g. with iconv -f latin1 -t utf-8", excerpt(text));
  return {};
}

Listing read_texts(const std::string& path, char separator) {
  const std::string content = read_text(path);
  std::string_view rest = content;
  if (rest.starts_with("\xef\xbb\xbf")) rest.remove_prefix(3);  // a byte order mark
  Listing texts;
  for (std::size_t number = 1; !rest.empty(); ++number) {
    const std::size_t end = rest.find(separator);
    std::string_view text = rest.substr(0, end);
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
    if (separator == '\n' && text.ends_with('\r')) text.remove_suffix(1);
    const auto problem = text_problem(text);
    texts.files.push_back({.path = std::string(text),
                           .named = true,
                           .problem = problem ? fmt::format("line {} {}", number, *problem) : ""});
  }
  if (texts.files.empty()) throw MissingInput(fmt::format("{}: holds no text", display_path(path)));
  return texts;
}

std::vector<std::string> read_sound_texts(const std::string& path, char separator) {
  std::vector<std::string> texts;
  for (ListedFile text : read_texts(path, separator).files) {
    if (!text.problem.empty()) throw Incompatible(fmt::format("{}: {}", display_path(path), text.problem));
    texts.push_back(std::move(text.path));
  }
  return texts;
}

std::vector<TextLength> embed_texts(const Encoder& encoder, std::span<const std::string> texts,
                                    const TextPrompts& prompts, MatrixView<float> out) {
  if (prompts.empty()) return encoder.encode_text(texts, out);
  const std::size_t count = prompts.size();
  std::vector<std::string> filled;
  filled.reserve(texts.size() * count);
  for (const std::string& text : texts)
    for (const PromptTemplate& prompt : prompts) filled.push_back(prompt.apply(text));
  std::vector<float> vectors(filled.size() * encoder.dim());
  const std::vector<TextLength> all = encoder.encode_text(filled, {vectors.data(), filled.size(), encoder.dim()});
  std::vector<TextLength> longest;
  for (std::size_t i = 0; i < texts.size(); ++i) {
    const auto lengths = std::span(all).subspan(i * count, count);
    longest.push_back(*std::ranges::max_element(lengths, {}, &TextLength::tokens));
    const float* first = vectors.data() + i * count * encoder.dim();
    if (count == 1) std::copy_n(first, encoder.dim(), out.row(i).begin());  // the same bits as the prompt's
    else average({first, count, encoder.dim()}, encoder.preset().normalization == "l2", out.row(i), texts[i]);
  }
  return longest;
}

std::string truncation_message(std::string_view text, const TextLength& length) {
  return fmt::format("{}: {} tokens, of which the network reads {}; the rest was cut off", excerpt(text), length.tokens,
                     length.read);
}

}  // namespace cbir
