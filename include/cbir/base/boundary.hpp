#pragma once
/// Nothing leaves a plug-in by exception: what its functions throw crosses the boundary as an exit code and a message.

#include <cstddef>
#include <cstdio>
#include <exception>
#include <new>

#include <cbir/base/error.hpp>

namespace cbir {

/// The message of std::bad_alloc, whose code is ExitCode::resource.
inline constexpr const char* kNoMemory = "out of memory";

/// Calls `body`; what it throws becomes an exit code and a message.
template <typename Body>
int guarded(char* message, std::size_t message_size, Body body) {
  const auto fail = [&](ExitCode code, const char* text) {
    if (message && message_size) std::snprintf(message, message_size, "%s", text);
    return static_cast<int>(code);
  };
  try {
    body();
    return 0;
  } catch (const Error& error) {
    return fail(error.code(), error.what());
  } catch (const std::bad_alloc&) {
    return fail(ExitCode::resource, kNoMemory);
  } catch (const std::exception& error) {
    return fail(ExitCode::internal, error.what());
  } catch (...) {
    return fail(ExitCode::internal, "an unknown exception in the plug-in");
  }
}

}  // namespace cbir
