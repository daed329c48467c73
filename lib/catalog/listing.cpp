#include <fmt/format.h>

#include <set>
#include <utility>

#include <cbir/base/error.hpp>
#include <cbir/base/text.hpp>
#include <cbir/catalog/catalog.hpp>
#include <cbir/extract/listing.hpp>

namespace cbir {

std::vector<CatalogPicture> list_catalog_pictures(const std::string& item, const std::vector<std::string>& paths) {
  const Listing listing = list_paths(paths, {});
  std::vector<CatalogPicture> pictures;
  std::set<std::pair<std::string, std::string>> seen;
  for (const ListedFile& file : listing.files) {
    std::string name = item;
    if (name.empty()) {
      // The folder right below the one that was named, however deep the picture lies.
      for (const std::string& path : paths) {
        const std::string folder = path.ends_with('/') ? path : path + "/";
        if (!file.path.starts_with(folder)) continue;
        const std::string below = file.path.substr(folder.size());
        if (const std::size_t slash = below.find('/'); slash != std::string::npos) name = below.substr(0, slash);
        break;
      }
    }
    if (name.empty())
      throw UsageError(
          fmt::format("{}: lies in no folder of an item; name the item that it shows: cbir-catalog add C "
                      "ITEM PICTURE..., or a folder whose folders are items",
                      display_path(file.path)));
    if (!is_utf8(name)) throw UsageError(fmt::format("{}: the name of an item must be UTF-8", display_path(name)));
    if (!seen.emplace(name, file.path).second) continue;
    pictures.push_back({std::move(name), file.path});
  }
  return pictures;
}

}  // namespace cbir
