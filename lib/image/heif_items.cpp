#include "heif_items.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "headers.hpp"

namespace cbir {
namespace {

/// Boxes one after another. Every box must lie within the one that holds it.
class Boxes {
 public:
  Boxes(Bytes data, ImageFormat format) : data_(data), format_(format) {}

  bool next(HeifBox& box) {
    if (data_.empty()) return false;
    std::uint64_t size = data_.size() >= 8 ? be32_at(data_, 0) : 0, head = 8;
    if (size == 1 && data_.size() >= 16) {
      size = std::uint64_t{be32_at(data_, 8)} << 32 | be32_at(data_, 12);
      head = 16;
    } else if (size == 0) {
      size = data_.size();  // up to the end
    }
    if (size < head || size > data_.size()) throw_truncated(format_, "one of its boxes");
    box = {as_text(data_.subspan(4, 4)),
           data_.subspan(static_cast<std::size_t>(head), static_cast<std::size_t>(size - head))};
    data_ = data_.subspan(static_cast<std::size_t>(size));
    return true;
  }

  /// The body of the first box of a type; empty if there is none.
  Bytes find(std::string_view type) {
    for (HeifBox box; next(box);) {
      if (box.type == type) return box.body;
    }
    return {};
  }

 private:
  Bytes data_;
  ImageFormat format_;
};

/// What a full box starts with: version and flags.
constexpr std::size_t kFullBox = 4;

/// The fields of a box, one after another. Reading beyond its end is an error.
class Fields {
 public:
  Fields(Bytes data, ImageFormat format) : data_(data), format_(format) {}

  bool empty() const { return data_.empty(); }
  Bytes rest() const { return data_; }

  std::uint64_t number(std::size_t bytes) {
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < bytes; ++i) value = value << 8 | u8_at(take(1), 0);
    return value;
  }
  std::uint32_t id(bool wide) { return static_cast<std::uint32_t>(number(wide ? 4 : 2)); }

  Bytes take(std::size_t bytes) {
    if (bytes > data_.size()) throw_truncated(format_, "one of its boxes");
    const Bytes out = data_.first(bytes);
    data_ = data_.subspan(bytes);
    return out;
  }

  /// Version and flags of a full box.
  std::pair<unsigned, unsigned> full_box() {
    const auto both = static_cast<unsigned>(number(kFullBox));
    return {both >> 24, both & 0xFFFFFF};
  }

 private:
  Bytes data_;
  ImageFormat format_;
};

constexpr std::size_t kItems = 100'000;  // of a file
constexpr std::size_t kExtents = 16;     // whose beginning is looked at
constexpr int kNesting = 16;             // of items made of items

constexpr std::uint64_t kMost = UINT64_MAX / 2;

std::uint64_t plus(std::uint64_t a, std::uint64_t b) { return std::min(kMost, a + b); }

std::uint64_t area(std::uint64_t width, std::uint64_t height) { return std::min(kMost, width * height); }

}  // namespace

HeifItems::HeifItems(Bytes file, ImageFormat format) : file_(file), format_(format) {
  const Bytes meta = Boxes(file, format).find("meta");
  if (meta.size() < kFullBox)
    throw ImageError(ExitCode::damaged, fmt::format("damaged {}: it has no 'meta' box", to_string(format)));
  Boxes inside(meta.subspan(kFullBox), format);
  for (HeifBox box; inside.next(box);) {
    Fields fields(box.body, format);
    if (box.type == "pitm" && !box.body.empty()) {
      const unsigned version = fields.full_box().first;
      primary_ = fields.id(version > 0);
    } else if (box.type == "iinf") {
      read_types(box.body);
    } else if (box.type == "iloc") {
      read_locations(box.body);
    } else if (box.type == "iref") {
      read_references(box.body);
    } else if (box.type == "idat") {
      idat_ = box.body;
    } else if (box.type == "iprp") {
      Boxes properties(Boxes(box.body, format).find("ipco"), format);
      for (HeifBox property; properties.next(property);) properties_.push_back(property);
      read_associations(Boxes(box.body, format).find("ipma"));
    }
  }
}

HeifItems::Item& HeifItems::item(std::uint32_t id) {
  if (items_.size() >= kItems && !items_.contains(id))
    throw ImageError(ExitCode::resource,
                     fmt::format("damaged {}: it has more than {} items", to_string(format_), kItems));
  return items_[id];
}

void HeifItems::read_types(Bytes iinf) {
  Fields fields(iinf, format_);
  const unsigned version = fields.full_box().first;
  fields.number(version == 0 ? 2 : 4);  // entries, which the box's end tells as well
  Boxes entries(fields.rest(), format_);
  for (HeifBox box; entries.next(box);) {
    if (box.type != "infe") continue;
    Fields entry(box.body, format_);
    const unsigned entry_version = entry.full_box().first;
    if (entry_version < 2) continue;  // without a type
    const std::uint32_t id = entry.id(entry_version > 2);
    entry.take(2);  // protection
    item(id).type = as_text(entry.take(4));
  }
}

void HeifItems::read_associations(Bytes ipma) {
  if (ipma.empty()) return;
  Fields fields(ipma, format_);
  const auto [version, flags] = fields.full_box();
  const bool wide = flags & 1;
  for (std::uint64_t entries = fields.number(4); entries > 0; --entries) {
    Item& item = this->item(fields.id(version > 0));
    for (std::uint64_t count = fields.number(1); count > 0; --count)
      item.properties.push_back(static_cast<std::size_t>(fields.number(wide ? 2 : 1) & (wide ? 0x7FFF : 0x7F)));
  }
}

void HeifItems::read_locations(Bytes iloc) {
  Fields fields(iloc, format_);
  const unsigned version = fields.full_box().first;
  if (version > 2) return;
  const auto sizes = static_cast<unsigned>(fields.number(2));
  const std::size_t offset_size = sizes >> 12, length_size = sizes >> 8 & 15, base_size = sizes >> 4 & 15;
  const std::size_t index_size = version > 0 ? sizes & 15 : 0;
  if (std::max({offset_size, length_size, base_size, index_size}) > 8)
    throw ImageError(ExitCode::damaged, fmt::format("damaged {}: its items are located by numbers of more than 8 bytes",
                                                    to_string(format_)));
  for (std::uint64_t count = fields.number(version < 2 ? 2 : 4); count > 0; --count) {
    Item& item = this->item(fields.id(version == 2));
    item.construction = version > 0 ? static_cast<unsigned>(fields.number(2) & 15) : 0;
    fields.take(2);  // which file: this one
    const std::uint64_t base = fields.number(base_size);
    for (std::uint64_t extents = fields.number(2); extents > 0; --extents) {
      fields.number(index_size);
      const std::uint64_t offset = base + fields.number(offset_size);
      const std::uint64_t length = fields.number(length_size);
      if (item.extents.size() < kExtents) item.extents.push_back({offset, length});
      if (index_size + offset_size + length_size == 0) break;  // all are the same
    }
  }
}

void HeifItems::read_references(Bytes iref) {
  Fields fields(iref, format_);
  const bool wide = fields.full_box().first > 0;
  Boxes references(fields.rest(), format_);
  for (HeifBox box; references.next(box);) {
    if (box.type != "dimg" && box.type != "auxl") continue;
    Fields reference(box.body, format_);
    const std::uint32_t from = reference.id(wide);
    for (std::uint64_t count = reference.number(2); count > 0; --count) {
      const std::uint32_t to = reference.id(wide);
      if (box.type == "dimg") item(from).parts.push_back(to);
      else item(to).auxiliaries.push_back(from);
    }
  }
}

std::vector<HeifBox> HeifItems::properties(std::uint32_t item) const {
  std::vector<HeifBox> out;
  const auto found = items_.find(item);
  if (found == items_.end()) return out;
  for (const std::size_t number : found->second.properties)
    if (number > 0 && number <= properties_.size()) out.push_back(properties_[number - 1]);
  return out;
}

std::vector<std::uint32_t> HeifItems::auxiliaries(std::uint32_t item) const {
  const auto found = items_.find(item);
  return found == items_.end() ? std::vector<std::uint32_t>() : found->second.auxiliaries;
}

/// The first bytes of an item's data, as many as there are.
std::vector<std::byte> HeifItems::data(const Item& item, std::size_t wanted) const {
  std::vector<std::byte> out;
  if (item.construction > 1) return out;
  const Bytes source = item.construction == 0 ? file_ : idat_;
  for (const Extent& extent : item.extents) {
    if (extent.offset >= source.size()) break;
    const Bytes rest = source.subspan(static_cast<std::size_t>(extent.offset));
    const std::uint64_t length = extent.length == 0 ? rest.size() : extent.length;  // 0: up to the end
    const std::size_t taken = std::min<std::size_t>({wanted - out.size(), rest.size(), length});
    out.insert(out.end(), rest.begin(), rest.begin() + static_cast<std::ptrdiff_t>(taken));
    if (out.size() == wanted) break;
  }
  return out;
}

/// Pixels of what a grid or an overlay is put together on, as its data says (23008-12, 6.6.2.2 and 6.6.2.3).
std::uint64_t HeifItems::canvas(const Item& item) const {
  const std::size_t size_at = item.type == "grid" ? 4 : item.type == "iovl" ? 10 : 0;
  if (size_at == 0) return 0;
  const std::vector<std::byte> head = data(item, size_at + 8);
  if (head.size() < size_at + 4) return 0;
  const bool wide = u8_at(head, 1) & 1;
  if (!wide) return area(be16_at(head, size_at), be16_at(head, size_at + 2));
  return head.size() < size_at + 8 ? 0 : area(be32_at(head, size_at), be32_at(head, size_at + 4));
}

std::uint64_t HeifItems::pixels_made(std::uint32_t item) const {
  std::map<std::uint32_t, std::uint64_t> known;
  return pixels_made(item, known, kNesting);
}

std::uint64_t HeifItems::pixels_made(std::uint32_t id, std::map<std::uint32_t, std::uint64_t>& known,
                                     int nesting) const {
  const auto found = items_.find(id);
  if (found == items_.end()) return 0;
  if (nesting == 0) return kMost;
  const auto [before, is_new] = known.try_emplace(id, kMost);  // an item that is a part of itself makes no end of them
  if (!is_new) return before->second;
  const Item& item = found->second;
  std::uint64_t own = canvas(item), parts = 0;
  for (const HeifBox& box : properties(id))
    if (box.type == "ispe" && box.body.size() >= kFullBox + 8)
      own = std::max(own, area(be32_at(box.body, kFullBox), be32_at(box.body, kFullBox + 4)));
  for (const std::uint32_t part : item.parts) parts = plus(parts, pixels_made(part, known, nesting - 1));
  return known[id] = plus(own, parts);
}

}  // namespace cbir
