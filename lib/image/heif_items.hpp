#pragma once
/// The items of an ISO base media file (ISO/IEC 14496-12, 23008-12): what they are, which properties they have, and
/// which other items they are made of. Inside the image module only. Everything throws ImageError.

#include <cstdint>
#include <map>
#include <string_view>
#include <vector>

#include <cbir/image/image.hpp>

namespace cbir {

struct HeifBox {
  std::string_view type;
  Bytes body;
};

class HeifItems {
 public:
  HeifItems(Bytes file, ImageFormat format);

  std::uint32_t primary() const noexcept { return primary_; }

  /// The boxes of an item's properties, in their order.
  std::vector<HeifBox> properties(std::uint32_t item) const;

  /// Pixels that decoding an item makes: its own, and those of all items that it is put together from (tiles of a grid,
  /// layers), each as often as it is used. What an item claims in several places counts by the largest.
  std::uint64_t pixels_made(std::uint32_t item) const;
  /// Items that go with another one, as its alpha channel does.
  std::vector<std::uint32_t> auxiliaries(std::uint32_t item) const;

 private:
  struct Extent {
    std::uint64_t offset = 0, length = 0;
  };
  struct Item {
    std::string_view type;
    std::vector<std::size_t> properties;  ///< numbers, from 1
    unsigned construction = 0;            ///< where its data lies: 0 in the file, 1 in the box 'idat'
    std::vector<Extent> extents;
    std::vector<std::uint32_t> parts, auxiliaries;
  };

  Item& item(std::uint32_t id);
  void read_types(Bytes iinf);
  void read_associations(Bytes ipma);
  void read_locations(Bytes iloc);
  void read_references(Bytes iref);
  std::vector<std::byte> data(const Item& item, std::size_t wanted) const;
  std::uint64_t canvas(const Item& item) const;
  std::uint64_t pixels_made(std::uint32_t item, std::map<std::uint32_t, std::uint64_t>& known, int nesting) const;

  Bytes file_, idat_;
  ImageFormat format_;
  std::uint32_t primary_ = 0;
  std::vector<HeifBox> properties_;
  std::map<std::uint32_t, Item> items_;
};

}  // namespace cbir
