#pragma once
/// Tests of kernels, once for each instruction set.

#include <hwy/targets.h>

#include <cstdint>
#include <set>
#include <string>

#include <tests/catch.hpp>

namespace fixture {

/// Runs the body with each instruction set that this processor has and for which `name` says there is code; returns
/// which.
template <typename Name, typename Body>
std::set<std::string> for_each_target(const Name& name, const Body& body) {
  std::set<std::string> seen;
  for (std::int64_t all = hwy::SupportedTargets(), target = 1; all != 0; target *= 2) {
    if ((all & target) == 0) continue;
    all &= ~target;
    hwy::SetSupportedTargetsForTest(target);
    const std::string used = name();
    if (used == hwy::TargetName(target)) {  // else the build has no code for it
      INFO("instruction set " << used);
      body(used);
      seen.insert(used);
    }
    hwy::SetSupportedTargetsForTest(0);
  }
  return seen;
}

/// Runs the body with each instruction set that this processor has, whether there is code of its own for it or not.
template <typename Body>
void for_each_target(const Body& body) {
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
