#pragma once
/// Protocol Buffers' wire format, read without knowing more of a message than the numbers of its fields
/// (https://protobuf.dev/programming-guides/encoding).

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace cbir::onnx {

/// One field of a message. Of the two values the one that its wire type has is set.
struct WireField {
  std::uint32_t number = 0;
  bool length_delimited = false;
  std::uint64_t scalar = 0;     ///< varint, fixed32, fixed64
  std::string_view bytes = {};  ///< string, bytes, message, packed list
  std::string_view whole = {};  ///< the field as it stands in the message, tag and length included
};

/// Goes through the fields of a message.
class WireReader {
 public:
  explicit WireReader(std::string_view message) : rest_(message) {}

  /// The next field into `field`; false at the end of the message. Throws Error (damaged) if a field does not end
  /// within the message, has number 0, or is of a kind that no one writes any more.
  bool next(WireField& field);

 private:
  std::uint64_t varint();
  std::string_view take(std::uint64_t size);

  std::string_view rest_;
};

/// Calls `use` with each field of a message.
template <typename Use>
void for_each_field(std::string_view message, Use use) {
  WireReader reader(message);
  for (WireField field; reader.next(field);) use(field);
}

/// A field of text, bytes or a message, as it stands in a message.
std::string wire_field(std::uint32_t number, std::string_view content);
/// A field of a float, and of a number that is not negative.
std::string wire_field(std::uint32_t number, float value);
std::string wire_field(std::uint32_t number, std::uint64_t value);

}  // namespace cbir::onnx
