#pragma once
/// A pipeline on the one thread pool: things are made side by side, and begun and handed on in order.

#include <cstddef>
#include <functional>

namespace cbir {

/// For n = 0, 1, ... until `begin` says no. What is done with a number has happened before what is done with it next.
struct Pipeline {
  std::size_t threads = 1;                   ///< as many as are asked for, even beyond the number of processors
  std::size_t at_once = 1;                   ///< numbers that have begun and are not handed on, at most
  std::function<bool(std::size_t)> begin;    ///< one at a time, in order
  std::function<void(std::size_t)> make;     ///< several at a time
  std::function<void(std::size_t)> hand_on;  ///< one at a time, in order
};

/// Rethrows the first exception.
void run_pipeline(const Pipeline& pipeline);

}  // namespace cbir
