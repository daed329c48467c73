#include <cbir/query/terms.hpp>

#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <optional>

#include <cbir/base/error.hpp>
#include <cbir/base/file.hpp>
#include <cbir/base/text.hpp>

namespace cbir {
namespace {

constexpr double kCancelled = 1e-4;  // of the weights' magnitudes; unit vectors in fp32 are good to about 1e-6

/// The weight that `text` is, nothing if it is no number.
std::optional<double> weight_of(std::string_view text, std::string_view argument) {
  if (text.starts_with('+') && !text.starts_with("+-")) text.remove_prefix(1);
  double weight = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), weight);
  if (error == std::errc::invalid_argument || end != text.data() + text.size()) return std::nullopt;
  if (error == std::errc() && !std::isfinite(weight)) return std::nullopt;  // "food:nan" is a text
  if (error != std::errc())
    throw UsageError(
        fmt::format("{}: the weight {} is too large or too small a number; write \\: if it belongs to the text",
                    display_path(argument), text));
  return weight;
}

/// The last ':' that no backslash escapes; npos if there is none.
std::size_t last_colon(std::string_view text) {
  std::size_t found = std::string_view::npos;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == ':') found = i;
    if (text[i] == '\\' && i + 1 < text.size() && (text[i + 1] == ':' || text[i + 1] == '\\')) ++i;
  }
  return found;
}

std::string unescape(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 1 < text.size() && (text[i + 1] == ':' || text[i + 1] == '\\')) ++i;
    out += text[i];
  }
  return out;
}

}  // namespace

Term parse_term(std::string_view argument) {
  const std::size_t colon = last_colon(argument);
  if (colon == std::string_view::npos) return {unescape(argument)};
  const std::optional<double> weight = weight_of(argument.substr(colon + 1), argument);
  if (!weight) return {unescape(argument)};
  if (colon == 0) throw UsageError(fmt::format("{}: nothing before the weight", display_path(argument)));
  return {unescape(argument.substr(0, colon)), *weight};
}

Term parse_path_term(const std::string& argument) {
  if (exists(argument)) return {argument};
  return parse_term(argument);
}

std::vector<float> combine(MatrixView<const float> vectors, std::span<const double> weights) {
  if (weights.size() != vectors.rows)
    throw Error(ExitCode::internal, fmt::format("{} vectors and {} weights", vectors.rows, weights.size()));
  const auto length_of = [](const auto& vector) {
    double squares = 0;
    for (const double value : vector) squares += value * value;
    return std::sqrt(squares);
  };
  std::vector<double> sum(vectors.cols);
  double magnitude = 0;
  for (std::size_t i = 0; i < vectors.rows; ++i) {
    const double length = length_of(vectors.row(i));
    if (!std::isfinite(length) || length == 0)
      throw DamagedFile(fmt::format("the vector of term {} is {}", i + 1, length == 0 ? "zero" : "not finite"));
    for (std::size_t j = 0; j < vectors.cols; ++j) sum[j] += weights[i] * (vectors.row(i)[j] / length);
    magnitude += std::abs(weights[i]);
  }
  const double length = length_of(sum);
  if (!(length > kCancelled * magnitude))
    throw UsageError(
        fmt::format("the {} of the query cancel each other out: their weighted sum is zero; change a weight",
                    counted(vectors.rows, "term")));
  std::vector<float> out(vectors.cols);
  for (std::size_t j = 0; j < vectors.cols; ++j) out[j] = static_cast<float>(sum[j] / length);
  return out;
}

}  // namespace cbir
