#include <cbir/base/plugin.hpp>

#include <dlfcn.h>
#include <fmt/format.h>

#include <cstdlib>
#include <filesystem>
#include <string_view>
#include <vector>

#include <cbir/base/error.hpp>
#include <cbir/base/file.hpp>
#include <cbir/base/text.hpp>

namespace cbir {
namespace {

/// The folder of the shared object (or program) that this function is linked into.
std::string own_folder() {
  Dl_info info;
  const bool known = dladdr(reinterpret_cast<void*>(&load_plugin), &info) != 0 && info.dli_fname;
  if (known && std::string_view(info.dli_fname).find('/') != std::string_view::npos) return parent_path(info.dli_fname);
  std::error_code ignored;  // linked into a program that was found through PATH
  return parent_path(std::filesystem::read_symlink("/proc/self/exe", ignored).string());
}

}  // namespace

void* load_plugin(const std::string& name, const std::string& symbol) {
  std::vector<std::string> folders;
  if (const char* chosen = std::getenv("CBIR_PLUGIN_DIR"); chosen && *chosen) {
    folders.emplace_back(chosen);
  } else {
    const std::string own = own_folder();
    folders = {own, own + "/cbir", own + "/../lib"};
  }
  std::string tried;
  for (const std::string& folder : folders) {
    const std::string path = fmt::format("{}/libcbir_{}.so", folder, name);
    if (!exists(path)) {
      tried += fmt::format("\n  {}: not there", display_path(path));
      continue;
    }
    void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    if (!library) {
      tried += fmt::format("\n  {}", dlerror());
      continue;
    }
    if (void* address = dlsym(library, symbol.c_str())) return address;
    tried += fmt::format("\n  {}: has no function {}", display_path(path), symbol);
  }
  throw MissingInput(fmt::format("plug-in '{}' cannot be loaded; set CBIR_PLUGIN_DIR to its folder. Tried:{}", name, tried));
}

}  // namespace cbir
