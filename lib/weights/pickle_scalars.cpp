#include <bit>
#include <limits>

#include "pickle_text.hpp"
#include "unpickler.hpp"

namespace cbir::pickle {

void Unpickler::push_text(std::uint64_t length) {
  const std::string_view text = take_bytes(length, "a string");
  if (!is_utf8(text)) damaged("a string is not UTF-8");
  push({text});
}

void Unpickler::push_old_text(std::uint64_t length) {
  const std::string_view text = take_bytes(length, "a string");
  if (is_utf8(text)) push({text});
  else push({Blob{text}});
}

std::string_view Unpickler::take_line(std::string_view what) {
  const std::size_t first = reader_.offset();
  std::size_t length = 0;
  while (reader_.read<char>(what) != '\n') ++length;
  reader_.seek(first, what);
  return take_bytes(length + 1, what).substr(0, length);
}

std::string_view Unpickler::take_name() {
  const std::string_view name = take_line("a name");
  if (name.size() > kMaxName) damaged(fmt::format("a name of more than {} bytes", kMaxName));
  return name;
}

std::int64_t Unpickler::take_integer(std::string_view what) {
  const auto number = parse_integer(take_line(what));
  if (!number) damaged(fmt::format("{} that is none, or is too large", what));
  return *number;
}

std::string_view Unpickler::keep(std::string text) {
  const Value* kept = push({Unescaped{std::move(text)}});
  pop();
  return kept->get<Unescaped>()->text;
}

void Unpickler::push_long(std::uint64_t length) {
  const std::string_view bytes = take_bytes(length, "an integer");
  if (bytes.size() > 8) {
    push({Blob{bytes}});
    return;
  }
  std::uint64_t number = !bytes.empty() && (bytes.back() & 0x80) ? ~std::uint64_t{0} : 0;
  for (std::size_t i = bytes.size(); i-- > 0;) number = number << 8 | static_cast<std::uint8_t>(bytes[i]);
  push({static_cast<std::int64_t>(number)});
}

std::uint32_t Unpickler::memo_key(std::uint8_t opcode) {
  if (opcode == kPut || opcode == kGet) {
    const std::int64_t key = take_integer("a memo index");
    if (key < 0 || key > std::numeric_limits<std::uint32_t>::max()) damaged("a memo index out of range");
    return static_cast<std::uint32_t>(key);
  }
  return opcode == kBinGet || opcode == kBinPut ? reader_.read<std::uint8_t>("a memo index")
                                                : reader_.read<std::uint32_t>("a memo index");
}

bool Unpickler::step_scalar(std::uint8_t opcode) {
  switch (opcode) {
    case kNone:
      push({None{}});
      return true;
    case kNewTrue:
      push({true});
      return true;
    case kNewFalse:
      push({false});
      return true;
    case kBinInt:
      push({std::int64_t{reader_.read<std::int32_t>("an integer")}});
      return true;
    case kBinInt1:
      push({std::int64_t{reader_.read<std::uint8_t>("an integer")}});
      return true;
    case kBinInt2:
      push({std::int64_t{reader_.read<std::uint16_t>("an integer")}});
      return true;
    case kLong1:
      push_long(reader_.read<std::uint8_t>("an integer's length"));
      return true;
    case kLong4:
      push_long(reader_.read<std::uint32_t>("an integer's length"));
      return true;
    case kBinFloat: {  // the one big-endian field of the format
      std::uint64_t bits = 0;
      for (const std::byte b : reader_.take(8, "a float")) bits = bits << 8 | std::to_integer<std::uint64_t>(b);
      push({std::bit_cast<double>(bits)});
      return true;
    }
    case kBinUnicode:
      push_text(reader_.read<std::uint32_t>("a string's length"));
      return true;
    case kShortBinUnicode:
      push_text(reader_.read<std::uint8_t>("a string's length"));
      return true;
    case kBinUnicode8:
      push_text(reader_.read<std::uint64_t>("a string's length"));
      return true;
    // Python 2 wrote str, its names included, as these.
    case kBinString:
      push_old_text(reader_.read<std::uint32_t>("a string's length"));
      return true;
    case kShortBinString:
      push_old_text(reader_.read<std::uint8_t>("a string's length"));
      return true;
    case kBinBytes:
    case kShortBinBytes:
    case kBinBytes8:
    case kByteArray8: {
      const std::uint64_t length = opcode == kBinBytes        ? reader_.read<std::uint32_t>("a length")
                                   : opcode == kShortBinBytes ? reader_.read<std::uint8_t>("a length")
                                                              : reader_.read<std::uint64_t>("a length");
      push({Blob{take_bytes(length, "bytes")}});
      return true;
    }
    default:
      return false;
  }
}

/// Protocol 0, which is lines of text.
bool Unpickler::step_text(std::uint8_t opcode) {
  switch (opcode) {
    case kInt: {
      const std::string_view line = take_line("an integer");
      if (line == "00" || line == "01") push({line == "01"});
      else if (const auto number = parse_integer(line)) push({*number});
      else damaged("an integer that is none, or is too large");
      return true;
    }
    case kLong:
      push({take_integer("an integer")});
      return true;
    case kFloat: {
      double number = 0;
      if (!parse_number(take_line("a float"), number)) damaged("a float that is none");
      push({number});
      return true;
    }
    case kString: {
      auto text = unquote(take_line("a string"));
      if (!text) damaged("a string whose quotes or escapes are not Python's");
      const std::string_view kept = keep(std::move(*text));
      if (is_utf8(kept)) push({kept});
      else push({Blob{kept}});
      return true;
    }
    case kUnicode: {
      auto text = decode_raw_unicode(take_line("a string"));
      if (!text) damaged("a string whose escapes are not Python's");
      push({keep(std::move(*text))});
      return true;
    }
    case kList:
      push({List{pop_to_mark()}});
      return true;
    case kDict: {
      const auto items = pop_to_mark();
      add_items(push({Dict{}}), items);
      return true;
    }
    case kDup:
      if (stack_.size() >= kMaxValues) damaged("the stack grows without end");
      stack_.push_back(top());
      return true;
    default:
      return false;
  }
}

}  // namespace cbir::pickle
