#pragma once
/// Running a test with each instruction set that this processor and this build have.

#include <hwy/targets.h>

#include <cstdint>

#include <tests/catch.hpp>

namespace fixture {

template <typename Body>
void for_each_instruction_set(const Body& body) {
  for (std::int64_t all = hwy::SupportedTargets(), target = 1; all != 0; target *= 2) {
    if ((all & target) == 0) continue;
    all &= ~target;
    hwy::SetSupportedTargetsForTest(target);
    INFO("instruction set " << hwy::TargetName(target));
    body();
    hwy::SetSupportedTargetsForTest(0);
  }
}

}  // namespace fixture
