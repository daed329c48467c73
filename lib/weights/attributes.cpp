#include <cbir/weights/attributes.hpp>

#include <fmt/format.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <string_view>

#include <cbir/base/error.hpp>
#include <cbir/base/text.hpp>

#include "legacy.hpp"
#include "state_dict.hpp"
#include "torch_zip.hpp"
#include "views.hpp"

namespace cbir {
namespace {

using nlohmann::json;
using pickle::Value;

constexpr int kMaxDepth = 16;
constexpr std::size_t kMaxVisits = 100'000;  // values may be shared, and so be there 2^depth times
constexpr std::size_t kMaxText = 4 << 20;    // bytes of strings together
constexpr std::int64_t kMaxNumbers = 256;    // of a tensor

float half_to_float(std::uint16_t half) {
  const std::uint32_t sign = (half & 0x8000U) << 16, exponent = (half >> 10) & 31U, mantissa = half & 0x3FFU;
  const float size = exponent == 0 ? static_cast<float>(mantissa) * 0x1p-24F
                     : exponent == 31
                         ? std::numeric_limits<float>::quiet_NaN()
                         : std::ldexp(static_cast<float>(mantissa + 1024), static_cast<int>(exponent) - 25);
  return sign ? -size : size;
}

template <typename T>
T load(const std::byte* from) {
  T out;
  std::memcpy(&out, from, sizeof out);
  return out;
}

class Converter {
 public:
  Converter(const weights::FindStorage& find, const weights::Source& source)
      : source_(source), views_(find, source.name, source.size) {}

  /// Nothing for a value of a type that is left out.
  std::optional<json> convert(const Value& value, const std::string& name, int depth) {
    if (++visits_ > kMaxVisits || depth > kMaxDepth)
      throw ResourceLimit(
          fmt::format("{}: the model's attributes hold more than {} values, or are nested more than {} deep",
                      display_path(source_.name), kMaxVisits, kMaxDepth));
    if (value.get<pickle::None>()) return json();
    if (const auto* truth = value.get<bool>()) return *truth;
    if (const auto* integer = value.get<std::int64_t>()) return *integer;
    if (const auto* real = value.get<double>()) return *real;
    if (const auto* string = value.get<std::string_view>()) return text(*string);
    if (const auto* list = value.get<pickle::List>()) return array(list->items, name, depth);
    if (const auto* tuple = value.get<pickle::Tuple>()) return array(tuple->items, name, depth);
    if (const auto* tensor = value.get<pickle::TensorRef>()) return numbers(*tensor, name);
    if (const auto* dict = value.get<pickle::Dict>()) return object(*dict, name, depth);
    return {};
  }

  /// The attributes of a module.
  json attributes(const pickle::Dict& state) {
    json out = json::object();
    for (const auto& [key, value] : state.items) {
      const auto* name = key->get<std::string_view>();
      if (!name || name->starts_with('_')) continue;
      if (auto converted = convert(*value, std::string(*name), 0)) out[text(*name)] = std::move(*converted);
    }
    return out;
  }

 private:
  std::string text(std::string_view string) {
    text_ += string.size();
    if (text_ > kMaxText)
      throw ResourceLimit(fmt::format("{}: the model's attributes hold more than {} of text",
                                      display_path(source_.name), human_bytes(kMaxText)));
    return std::string(string);
  }

  std::optional<json> array(const std::vector<const Value*>& items, const std::string& name, int depth) {
    json out = json::array();
    for (const Value* item : items) {
      auto converted = convert(*item, name, depth + 1);
      if (!converted) return {};
      out.push_back(std::move(*converted));
    }
    return out;
  }

  std::optional<json> object(const pickle::Dict& dict, const std::string& name, int depth) {
    json out = json::object();
    for (const auto& [key, value] : dict.items) {
      const auto* string = key->get<std::string_view>();
      const auto* number = key->get<std::int64_t>();
      if (!string && !number) return {};
      auto converted = convert(*value, name, depth + 1);
      if (converted) out[string ? text(*string) : std::to_string(*number)] = std::move(*converted);
    }
    return out;
  }

  std::optional<json> numbers(const pickle::TensorRef& ref, const std::string& name) {
    std::int64_t count = 1;
    for (const std::int64_t size : ref.shape) {
      if (size > kMaxNumbers) return {};
      count *= size;
      if (count > kMaxNumbers) return {};
    }
    const Tensor tensor = views_.dense(ref, name);
    json out = json::array();
    const std::size_t item = item_size(tensor.type);
    for (std::size_t i = 0; i < static_cast<std::size_t>(count); ++i) {
      const std::byte* at = tensor.data.data() + i * item;
      if (tensor.type == TensorType::float32) out.push_back(load<float>(at));
      else if (tensor.type == TensorType::float64) out.push_back(load<double>(at));
      else if (tensor.type == TensorType::float16) out.push_back(half_to_float(load<std::uint16_t>(at)));
      else return {};
    }
    return out;
  }

  const weights::Source& source_;
  weights::Views views_;
  std::size_t visits_ = 0, text_ = 0;
};

}  // namespace

std::string read_attributes(Bytes file, const std::string& name) {
  json out = json::object();
  const weights::UseObject use = [&](const Value& object, const weights::FindStorage& find,
                                     const weights::Source& source) {
    if (const pickle::Dict* state = weights::module_state(weights::model_of(object, name)))
      out = Converter(find, source).attributes(*state);
  };
  if (weights::is_legacy_checkpoint(file)) weights::use_legacy_checkpoint(file, name, nullptr, use);
  else if (weights::is_zip(file)) weights::use_torch_zip(file, name, nullptr, use);
  return out.dump();
}

}  // namespace cbir
