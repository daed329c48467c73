#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

namespace cbir {

/// Numbers names in the order in which they come.
class NameTable {
 public:
  std::uint32_t number(const std::string& name) {
    const auto [found, fresh] = numbers_.try_emplace(name, static_cast<std::uint32_t>(names_.size()));
    if (fresh) names_.push_back(name);
    return found->second;
  }

  const std::vector<std::string>& all() const { return names_; }

 private:
  std::vector<std::string> names_;
  std::unordered_map<std::string, std::uint32_t> numbers_;
};

}  // namespace cbir
