#pragma once
/// Plug-ins: shared objects of the toolkit, loaded when first needed.

#include <string>

namespace cbir {

/// Loads libcbir_<name>.so and returns the address of its exported `symbol`. Looked for in $CBIR_PLUGIN_DIR, else beside
/// the library itself (lib/ of a build tree), else in cbir/ below that (an installed tree). Stays loaded.
/// Throws MissingInput naming what was tried.
void* load_plugin(const std::string& name, const std::string& symbol);

}  // namespace cbir
