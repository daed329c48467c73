#include "page_pictures.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <string_view>
#include <system_error>
#include <unordered_set>
#include <utility>

#include <cbir/base/log.hpp>
#include <cbir/base/parallel.hpp>
#include <cbir/base/text.hpp>
#include <cbir/image/image.hpp>

namespace cbir {
namespace {

constexpr std::string_view kBrokenPicture =
    R"(<svg viewBox="0 0 24 24" aria-hidden="true"><path d="M4 5h16v14H4zM4 16l4.5-4.5 3 3L15 11l5 5M3 3l18 18"/></svg>)";

/// What cannot be resolved cannot be opened either, and says then why.
bool leads_out(const std::string& file, const std::string& folder) {
  std::error_code error;
  std::filesystem::path root = std::filesystem::weakly_canonical(folder, error);
  if (!root.has_filename() && root.has_relative_path()) root = root.parent_path();  // ended with '/'
  const std::filesystem::path real = std::filesystem::weakly_canonical(file, error);
  return !error && std::mismatch(root.begin(), root.end(), real.begin(), real.end()).first != root.end();
}

/// Of an inlined picture: base64 and the markup around it.
std::uint64_t html_bytes(const std::vector<std::byte>& jpeg) {
  constexpr std::uint64_t kMarkup = 100;
  return jpeg.empty() ? 0 : (jpeg.size() + 2) / 3 * 4 + kMarkup;
}

}  // namespace

std::string PagePictures::below_root(const std::string& path) {
  if (options_.root.empty()) return path;
  std::string file = options_.root + (options_.root.ends_with('/') || path.starts_with('/') ? "" : "/") + path;
  confined_.insert(file);
  return file;
}

std::vector<std::string> PagePictures::fresh(const std::vector<std::string>& files) const {
  std::vector<std::string> result;
  std::unordered_set<std::string> seen;
  for (const std::string& file : files)
    if (!pictures_.contains(file) && seen.insert(file).second) result.push_back(file);
  return result;
}

std::vector<Thumbnail> PagePictures::make(const std::vector<std::string>& files, int side) const {
  ThumbnailOptions options = options_;
  options.side = side;
  std::vector<Thumbnail> made(files.size());
  parallel_blocks(files.size(), 1, [&](std::size_t i, std::size_t) {
    if (confined_.contains(files[i]) && leads_out(find_picture(files[i]), options.root))
      made[i].problem = "leads out of the folder that --root names";
    else made[i] = make_thumbnail(files[i], options);
  });
  return made;
}

void PagePictures::keep(const std::vector<std::string>& files, std::vector<Thumbnail> made) {
  for (std::size_t i = 0; i < files.size(); ++i) {
    Thumbnail& thumbnail = made[i];
    if (thumbnail.problem.empty()) fresh_.emplace(files[i], std::move(thumbnail.jpeg));
    else ++unreadable_;
    pictures_.emplace(files[i],
                      Picture{pictures_.size() + 1, thumbnail.width, thumbnail.height, std::move(thumbnail.problem)});
  }
}

void PagePictures::add(const std::vector<std::string>& files) {
  const auto wanted = fresh(files);
  keep(wanted, make(wanted, options_.side));
}

void PagePictures::add_within(const std::vector<std::string>& files, std::uint64_t bytes) {
  const auto wanted = fresh(files);
  std::vector<Thumbnail> made;
  for (const int quarters : {4, 3, 2}) {
    made = make(wanted, options_.side * quarters / 4);
    std::uint64_t all = 0;
    for (const Thumbnail& thumbnail : made) all += html_bytes(thumbnail.jpeg);
    if (all <= bytes) break;
  }
  std::uint64_t left = bytes;
  for (Thumbnail& thumbnail : made) {
    const std::uint64_t size = html_bytes(thumbnail.jpeg);
    if (size <= left) {
      left -= size;
      continue;
    }
    left = 0;
    thumbnail.jpeg.clear();
    thumbnail.problem = "left out to keep the page small";
  }
  keep(wanted, std::move(made));
}

std::string PagePictures::html(const std::string& file, const std::string& alt, const std::optional<Part>& part) {
  const Picture& picture = pictures_.at(file);
  if (!picture.problem.empty())
    return fmt::format("<div class=\"unreadable\" role=\"img\" aria-label=\"{0}: {1}\">{2}<span>{1}</span></div>", alt,
                       html_escape(picture.problem), kBrokenPicture);
  std::string html = fmt::format("<svg class=\"picture\" viewBox=\"0 0 {} {}\" role=\"img\" aria-label=\"{}\">{}",
                                 picture.width, picture.height, alt, svg(file));
  if (part) {
    const auto& [left, top, right, bottom] = *part;
    html += fmt::format("<rect class=\"part\" x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\"/>",
                        left * picture.width, top * picture.height, (right - left) * picture.width,
                        (bottom - top) * picture.height);
  }
  return html + "</svg>";
}

std::string PagePictures::svg(const std::string& file) {
  const Picture& picture = pictures_.at(file);
  if (!picture.problem.empty()) return "";
  const auto jpeg = fresh_.find(file);
  if (jpeg == fresh_.end()) return fmt::format("<use href=\"#p{}\"/>", picture.number);
  std::string element =
      fmt::format("<image id=\"p{}\" width=\"{}\" height=\"{}\" href=\"data:image/jpeg;base64,{}\"/>", picture.number,
                  picture.width, picture.height, base64_encode(as_text(jpeg->second)));
  fresh_.erase(jpeg);
  return element;
}

std::pair<int, int> PagePictures::size(const std::string& file) const {
  const Picture& picture = pictures_.at(file);
  return {picture.width, picture.height};
}

void PagePictures::drop_unshown() { fresh_.clear(); }

void PagePictures::warn() const {
  if (unreadable_ > 0)
    log(LogLevel::warning,
        fmt::format("{} of {} cannot be shown on the page; if they lie elsewhere now, --root says where", unreadable_,
                    counted(pictures_.size(), "picture")));
}

}  // namespace cbir
