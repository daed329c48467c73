#pragma once
/// Logging goes through one callback that the host program sets; without one, messages are dropped.

#include <functional>
#include <string_view>

namespace cbir {

enum class LogLevel { debug, info, warning };

using LogSink = std::function<void(LogLevel, std::string_view)>;

/// Replaces the sink. Not thread-safe: set it once, before any work.
void set_log_sink(LogSink sink);

/// Thread-safe if the sink is.
void log(LogLevel level, std::string_view message);

}  // namespace cbir
