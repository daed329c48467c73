#pragma once
/// Tests of kernels, once for each instruction set.

#include <hwy/targets.h>

#include <cstdint>
#include <set>
#include <string>

#include <lib/base/targets.hpp>
#include <tests/catch.hpp>

namespace fixture {

/// Runs the body with each instruction set that this processor has and for which `name` says there is code; returns
/// which.
template <typename Name, typename Body>
std::set<std::string> for_each_target(const Name& name, const Body& body) {
  std::set<std::string> seen;
  for (std::int64_t all = cbir::supported_targets(); all != 0;) {
    const std::int64_t target = all & -all;  // the lowest bit
    all &= ~target;
    cbir::restrict_targets(target);
    const std::string used = name();
    if (used == hwy::TargetName(target)) {  // else the build has no code for it
      INFO("instruction set " << used);
      body(used);
      seen.insert(used);
    }
    cbir::restrict_targets(0);
  }
  return seen;
}

/// Runs the body with each instruction set that this processor has, whether there is code of its own for it or not.
template <typename Body>
void for_each_target(const Body& body) {
  for (std::int64_t all = cbir::supported_targets(); all != 0;) {
    const std::int64_t target = all & -all;  // the lowest bit
    all &= ~target;
    cbir::restrict_targets(target);
    INFO("instruction set " << hwy::TargetName(target));
    body();
    cbir::restrict_targets(0);
  }
}

}  // namespace fixture
