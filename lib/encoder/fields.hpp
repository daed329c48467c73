#pragma once
/// Reading a JSON object strictly: every field is typed and named in messages, and an unknown one is an error.

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <set>
#include <string>

#include <cbir/base/error.hpp>
#include <cbir/base/text.hpp>

namespace cbir {

class Fields {
 public:
  /// `path` is what messages put before a field's name ("preprocessing."), `file` the file's name.
  Fields(const nlohmann::json& object, std::string file, std::string path)
      : object_(object), file_(std::move(file)), path_(std::move(path)) {
    if (!object.is_object())
      throw DamagedFile(fmt::format("{}: {} is not an object", display_path(file_),
                                    path_.empty() ? "the preset" : path_.substr(0, path_.size() - 1)));
  }

  [[noreturn]] void fail(const std::string& name, const std::string& what) const {
    throw DamagedFile(fmt::format("{}: field '{}{}' {}", display_path(file_), path_, name, what));
  }

  const nlohmann::json& required(const std::string& name) {
    known_.insert(name);
    const auto found = object_.find(name);
    if (found == object_.end()) fail(name, "is missing");
    return *found;
  }

  std::string text(const std::string& name) {
    const auto& value = required(name);
    if (!value.is_string()) fail(name, "is not a string");
    return value.get<std::string>();
  }

  std::string text_or(const std::string& name, const std::string& fallback) {
    known_.insert(name);
    return has(name) ? text(name) : fallback;
  }

  std::string non_empty(const std::string& name) {
    std::string value = text(name);
    if (value.empty()) fail(name, "is empty");
    return value;
  }

  std::string one_of(const std::string& name, std::initializer_list<std::string_view> allowed) {
    const std::string value = text(name);
    std::string list;
    for (const std::string_view choice : allowed) {
      if (choice == value) return value;
      list += fmt::format("{}'{}'", list.empty() ? "" : ", ", choice);
    }
    fail(name, fmt::format("is '{}'; one of {} was expected", value, list));
  }

  std::uint64_t number(const std::string& name, std::uint64_t low, std::uint64_t high) {
    const auto& value = required(name);
    if (!value.is_number_unsigned() || value.get<std::uint64_t>() < low || value.get<std::uint64_t>() > high)
      fail(name, fmt::format("is {}; a whole number from {} to {} was expected", value.dump(), low, high));
    return value.get<std::uint64_t>();
  }

  bool has(const std::string& name) const { return object_.contains(name); }

  std::string one_of_or(const std::string& name, std::initializer_list<std::string_view> allowed,
                        const std::string& fallback) {
    known_.insert(name);
    return has(name) ? one_of(name, allowed) : fallback;
  }

  double real(const std::string& name, double low, double high) {
    const auto& value = required(name);
    if (!value.is_number() || !(value.get<double>() >= low && value.get<double>() <= high))
      fail(name, fmt::format("is {}; a number from {} to {} was expected", value.dump(), low, high));
    return value.get<double>();
  }

  bool flag_or(const std::string& name, bool fallback) {
    known_.insert(name);
    if (!has(name)) return fallback;
    if (!object_.at(name).is_boolean()) fail(name, "is neither true nor false");
    return object_.at(name).get<bool>();
  }

  std::array<float, 3> triple(const std::string& name) {
    const auto& value = required(name);
    std::array<float, 3> out{};
    if (!value.is_array() || value.size() != out.size()) fail(name, "is not a list of three numbers");
    for (std::size_t i = 0; i < out.size(); ++i) {
      if (!value[i].is_number()) fail(name, "is not a list of three numbers");
      out[i] = value[i].get<float>();
    }
    return out;
  }

  Fields object(const std::string& name) { return {required(name), file_, path_ + name + "."}; }

  /// Throws if the object has a field that nobody asked for.
  void finish() const {
    for (const auto& [name, value] : object_.items())
      if (!known_.contains(name)) fail(name, "is not known");
  }

 private:
  const nlohmann::json& object_;
  std::string file_, path_;
  std::set<std::string> known_;
};

}  // namespace cbir
