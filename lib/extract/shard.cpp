#include <fmt/format.h>

#include <cbir/base/error.hpp>
#include <cbir/base/hash.hpp>
#include <cbir/extract/listing.hpp>

#include <span>

namespace cbir {
namespace {

/// Names, paths and boxes, by which two machines see that they have the same list before them. What is wrong with a
/// file may be wrong with one machine alone.
std::string digest_of_names(const Listing& listing) {
  Xxh3Hasher hasher;
  const auto add = [&](const std::string& text) {
    hasher.update(as_bytes(std::string_view(text.c_str(), text.size() + 1)));  // with its NUL
  };
  for (const ListedFile& file : listing.files) {
    add(file.path);
    add(file.id);
    const Box box = file.box.value_or(Box{});
    for (const double corner : {box.x1, box.y1, box.x2, box.y2}) hasher.update(std::as_bytes(std::span(&corner, 1)));
  }
  return hex(hasher.digest());
}

}  // namespace

Listing take_shard(const Listing& listing, std::uint64_t part, std::uint64_t of) {
  if (part == 0 || part > of) throw UsageError(fmt::format("found part {} of {}, expected 1 to {}", part, of, of));
  Listing out;
  out.ignored = listing.ignored;
  out.shard = Shards{.parts = {part}, .of = of, .items = listing.files.size(), .list = digest_of_names(listing)};
  for (std::size_t i = 0; i < listing.files.size(); ++i) {
    const ListedFile file = listing.files[i];
    if (part_of_path(file.path, of) != part) continue;
    out.files.push_back(file);
    out.seqs.push_back(i);
  }
  return out;
}

}  // namespace cbir
