/// The version of the library in use, for programs that load it at run time: dlsym(handle, "cbir_version").

#include <cbir/cli/version.hpp>

extern "C" const char* cbir_version();
extern "C" const char* cbir_version() { return cbir::kVersion; }
