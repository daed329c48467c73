#include "wire.hpp"

#include <bit>

#include <cbir/base/boundary.hpp>

namespace cbir::onnx {
namespace {

constexpr unsigned kVarintBits = 70;  // ten bytes of seven

[[noreturn]] void damaged(const char* what) {
  throw Error(ExitCode::damaged, std::string("not a sound ONNX file: ") + what);
}

std::uint64_t little_endian(std::string_view bytes) {
  std::uint64_t out = 0;
  for (std::size_t i = bytes.size(); i-- > 0;) out = out << 8 | static_cast<unsigned char>(bytes[i]);
  return out;
}

void append_varint(std::string& out, std::uint64_t number) {
  for (; number >= 0x80; number >>= 7) out += static_cast<char>((number & 0x7F) | 0x80);
  out += static_cast<char>(number);
}

}  // namespace

std::uint64_t WireReader::varint() {
  std::uint64_t out = 0;
  for (unsigned shift = 0; shift < kVarintBits; shift += 7) {
    const auto byte = static_cast<unsigned char>(take(1)[0]);
    out |= static_cast<std::uint64_t>(byte & 0x7F) << shift;
    if (byte < 0x80) return out;
  }
  damaged("a number has more than ten bytes");
}

std::string_view WireReader::take(std::uint64_t size) {
  if (size > rest_.size()) damaged("a field ends after its message; the file may be cut short");
  const std::string_view out = rest_.substr(0, size);
  rest_.remove_prefix(size);
  return out;
}

bool WireReader::next(WireField& field) {
  if (rest_.empty()) return false;
  const std::string_view from = rest_;
  const std::uint64_t tag = varint();
  if (tag >> 3 == 0 || tag >> 3 > UINT32_MAX >> 3) damaged("a field has a number that there is not");
  field = {.number = static_cast<std::uint32_t>(tag >> 3)};
  switch (tag & 7) {
    case 0:
      field.scalar = varint();
      break;
    case 1:
      field.scalar = little_endian(take(8));
      break;
    case 2:
      field.length_delimited = true;
      field.bytes = take(varint());
      break;
    case 5:
      field.scalar = little_endian(take(4));
      break;
    default:
      damaged("a field is of a kind that there is not");
  }
  field.whole = from.substr(0, from.size() - rest_.size());
  return true;
}

std::string wire_field(std::uint32_t number, std::string_view content) {
  std::string out;
  append_varint(out, number << 3 | 2);
  append_varint(out, content.size());
  return out.append(content);
}

std::string wire_field(std::uint32_t number, float value) {
  std::string out;
  append_varint(out, number << 3 | 5);
  auto bits = std::bit_cast<std::uint32_t>(value);
  for (int i = 0; i < 4; ++i, bits >>= 8) out += static_cast<char>(bits & 0xFF);
  return out;
}

std::string wire_field(std::uint32_t number, std::uint64_t value) {
  std::string out;
  append_varint(out, number << 3);
  append_varint(out, value);
  return out;
}

}  // namespace cbir::onnx
