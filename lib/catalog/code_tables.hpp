#pragma once
/// Which of many codes are near to one: those that have the same bits as it in one of several places, where bits that
/// are least certain may differ (multi-probe: Lv et al., VLDB 2007).

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "descriptor_codes.hpp"

namespace cbir {

class CodeTables {
 public:
  CodeTables() = default;
  /// `certain`: nothing is known of which bits are the first to differ, so more places are looked at.
  CodeTables(std::span<const DescriptorCode> codes, bool certain);

  /// Numbers of codes that may be near, each once, ascending. `margins`: kCodeBits numbers, or none.
  void find(const DescriptorCode& code, std::span<const float> margins, std::vector<std::uint32_t>& numbers) const;

 private:
  /// Codes by the value of some of their bits: those of value v are numbers[starts[v]] to numbers[starts[v + 1]].
  struct Table {
    std::vector<std::uint32_t> starts, numbers;
  };

  std::size_t bits_ = 0;  ///< that a table goes by
  std::vector<Table> tables_;
};

}  // namespace cbir
