#include "pickle.hpp"

#include <fmt/format.h>

#include <bit>
#include <optional>
#include <unordered_map>

#include <cbir/base/error.hpp>
#include <cbir/base/text.hpp>

#include "pickle_opcodes.hpp"
#include "torch_objects.hpp"

namespace cbir::pickle {
namespace {

// Far above any real checkpoint (a few thousand tensors), low enough that a hostile file cannot take much memory.
constexpr std::size_t kMaxValues = 2'000'000;
constexpr std::size_t kMaxName = 512;  // of a module or a class

class Unpickler {
 public:
  Unpickler(ByteReader& reader, Arena& arena) : reader_(reader), arena_(arena) {}

  const Value& run() {
    for (;;) {
      start_ = reader_.offset();
      const auto opcode = reader_.read<std::uint8_t>("a pickle opcode");
      if (opcode == kStop) {
        const Value* result = pop();
        if (!stack_.empty() || !marks_.empty()) damaged("values are left on the stack");
        return *result;
      }
      step(opcode);
    }
  }

 private:
  void step(std::uint8_t opcode);
  bool step_scalar(std::uint8_t opcode);
  bool step_container(std::uint8_t opcode);
  bool step_memo(std::uint8_t opcode);

  Place place() const { return {reader_.name(), start_}; }
  [[noreturn]] void damaged(std::string_view what) const { place().damaged(what); }

  [[noreturn]] void too_much() const {
    throw ResourceLimit(
        fmt::format("{}: the pickle at byte {} holds more than {} values; a checkpoint of plain tensors was expected",
                    display_path(reader_.name()), start_, kMaxValues));
  }

  Value* push(Value value) {
    if (arena_.size() >= kMaxValues) too_much();
    arena_.push_back(std::move(value));
    stack_.push_back(&arena_.back());
    return stack_.back();
  }

  /// The stack above the last MARK belongs to it; nothing below may be popped.
  Value* pop() {
    if (stack_.size() <= (marks_.empty() ? 0 : marks_.back())) damaged("a value is missing on the stack");
    Value* top = stack_.back();
    stack_.pop_back();
    return top;
  }

  Value* top() {
    if (stack_.size() <= (marks_.empty() ? 0 : marks_.back())) damaged("a value is missing on the stack");
    return stack_.back();
  }

  std::vector<const Value*> pop_to_mark() {
    if (marks_.empty()) damaged("a MARK is missing");
    const auto first = stack_.begin() + static_cast<std::ptrdiff_t>(marks_.back());
    std::vector<const Value*> items(first, stack_.end());
    stack_.erase(first, stack_.end());
    marks_.pop_back();
    return items;
  }

  void push_tuple(std::size_t count) {
    Tuple tuple;
    tuple.items.resize(count);
    for (std::size_t i = count; i-- > 0;) tuple.items[i] = pop();
    push({std::move(tuple)});
  }

  std::string_view take_bytes(std::uint64_t length, std::string_view what) {
    return as_text(reader_.take(static_cast<std::size_t>(length), what));
  }

  void push_text(std::uint64_t length) {
    const std::string_view text = take_bytes(length, "a string");
    if (!is_utf8(text)) damaged("a string is not UTF-8");
    push({text});
  }

  /// Python 2's str: a name or raw bytes.
  void push_old_text(std::uint64_t length) {
    const std::string_view text = take_bytes(length, "a string");
    if (is_utf8(text)) push({text});
    else push({Blob{text}});
  }

  std::string_view take_line() {
    const std::size_t first = reader_.offset();
    std::size_t length = 0;
    while (reader_.read<char>("a name") != '\n')
      if (++length > kMaxName) damaged(fmt::format("a name of more than {} bytes", kMaxName));
    reader_.seek(first, "a name");
    const std::string_view line = take_bytes(length, "a name");
    reader_.read<char>("a name");
    return line;
  }

  void push_long(std::uint64_t length) {
    const std::string_view bytes = take_bytes(length, "an integer");
    if (bytes.size() > 8) {
      push({Blob{bytes}});
      return;
    }
    std::uint64_t number = !bytes.empty() && (bytes.back() & 0x80) ? ~std::uint64_t{0} : 0;
    for (std::size_t i = bytes.size(); i-- > 0;) number = number << 8 | static_cast<std::uint8_t>(bytes[i]);
    push({static_cast<std::int64_t>(number)});
  }

  std::uint32_t memo_key(std::uint8_t opcode) {
    return opcode == kBinGet || opcode == kBinPut ? reader_.read<std::uint8_t>("a memo index")
                                                  : reader_.read<std::uint32_t>("a memo index");
  }

  void add_items(Value* target, const std::vector<const Value*>& items) {
    Dict* dict = std::get_if<Dict>(&target->v);
    if (Object* object = std::get_if<Object>(&target->v)) dict = &object->items;
    if (!dict) damaged("items are set in something that is not a dict");
    if (items.size() % 2) damaged("a key without a value");
    for (std::size_t i = 0; i < items.size(); i += 2) dict->items.emplace_back(items[i], items[i + 1]);
  }

  void append_items(Value* target, const std::vector<const Value*>& items) {
    if (target->get<Object>()) return;  // a list's subclass: its elements have no names
    List* list = std::get_if<List>(&target->v);
    if (!list) damaged("items are appended to something that is not a list");
    list->items.insert(list->items.end(), items.begin(), items.end());
  }

  void reduce();
  void new_object(bool keywords);
  void build();

  ByteReader& reader_;
  Arena& arena_;
  std::size_t start_ = 0;   // of the current opcode
  std::size_t copied_ = 0;  // entries that calls have copied
  std::vector<Value*> stack_;
  std::vector<std::size_t> marks_;
  std::unordered_map<std::uint32_t, Value*> memo_;
};

void Unpickler::step(std::uint8_t opcode) {
  if (step_scalar(opcode) || step_container(opcode) || step_memo(opcode)) return;
  switch (opcode) {
    case kProto:
      if (const auto version = reader_.read<std::uint8_t>("the pickle protocol"); version > 4)
        throw Incompatible(fmt::format("{}: pickle protocol {} at byte {}; up to 4 is read",
                                       display_path(reader_.name()), version, start_));
      return;
    case kFrame:
      reader_.read<std::uint64_t>("a frame's length");
      return;  // only a hint for buffering
    case kGlobal: {
      const std::string_view module = take_line();
      push({Global{module, take_line()}});
      return;
    }
    case kStackGlobal: {
      const std::string_view* name = pop()->get<std::string_view>();
      const std::string_view* module = pop()->get<std::string_view>();
      if (!name || !module || name->size() > kMaxName || module->size() > kMaxName) damaged("a global without a name");
      push({Global{*module, *name}});
      return;
    }
    case kReduce:
      return reduce();
    case kNewObj:
    case kNewObjEx:
      return new_object(opcode == kNewObjEx);
    case kBuild:
      return build();
    case kBinPersId:
      push(persistent(*pop(), place()));
      return;
    default:
      damaged(fmt::format("opcode 0x{:02x}, which checkpoints of plain tensors do not use", opcode));
  }
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
    case kBinBytes8: {
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

bool Unpickler::step_container(std::uint8_t opcode) {
  switch (opcode) {
    case kMark:
      if (marks_.size() >= kMaxValues) damaged("too many MARKs");
      marks_.push_back(stack_.size());
      return true;
    case kPop:
      pop();
      return true;
    case kPopMark:
      pop_to_mark();
      return true;
    case kEmptyDict:
      push({Dict{}});
      return true;
    case kEmptyList:
    case kEmptySet:  // which are looked through, never searched
      push({List{}});
      return true;
    case kEmptyTuple:
      push({Tuple{}});
      return true;
    case kTuple:
      push({Tuple{pop_to_mark()}});
      return true;
    case kTuple1:
      push_tuple(1);
      return true;
    case kTuple2:
      push_tuple(2);
      return true;
    case kTuple3:
      push_tuple(3);
      return true;
    case kSetItem: {
      const Value* value = pop();
      const Value* key = pop();
      add_items(top(), {key, value});
      return true;
    }
    case kSetItems: {
      const auto items = pop_to_mark();
      add_items(top(), items);
      return true;
    }
    case kAppend: {
      const Value* value = pop();
      append_items(top(), {value});
      return true;
    }
    case kFrozenSet:
      push({List{pop_to_mark()}});
      return true;
    case kAppends:
    case kAddItems: {
      const auto items = pop_to_mark();
      append_items(top(), items);
      return true;
    }
    default:
      return false;
  }
}

bool Unpickler::step_memo(std::uint8_t opcode) {
  switch (opcode) {
    case kBinPut:
    case kLongBinPut: {
      const std::uint32_t key = memo_key(opcode);
      memo_[key] = top();
      break;
    }
    case kMemoize:
      memo_[static_cast<std::uint32_t>(memo_.size())] = top();
      break;
    case kBinGet:
    case kLongBinGet: {
      const auto found = memo_.find(memo_key(opcode));
      if (found == memo_.end()) damaged("a memo entry that was never made");
      if (stack_.size() >= kMaxValues) damaged("the stack grows without end");
      stack_.push_back(found->second);
      return true;
    }
    default:
      return false;
  }
  if (memo_.size() > kMaxValues) damaged("too many memo entries");
  return true;
}

/// What the pickle calls: an OrderedDict, a tensor out of a storage, a parameter (which is its tensor) become such;
/// anything else stays a record of who was to be called with what.
void Unpickler::reduce() {
  const Value* arguments = pop();
  const Global* function = pop()->get<Global>();
  if (!arguments->get<Tuple>() || !function) damaged("a call of something that is not a function");
  std::size_t copied = 0;
  std::optional<Value> value = call(*function, *arguments->get<Tuple>(), place(), copied);
  // One list may be the argument of any number of calls: what they copy is bounded, not only their number.
  copied_ += copied;
  if (copied_ > kMaxValues) too_much();
  push(value ? std::move(*value) : Value{Object{function, arguments, nullptr, {}}});
}

void Unpickler::new_object(bool keywords) {
  if (keywords && !pop()->get<Dict>()) damaged("keyword arguments that are not a dict");
  const Value* arguments = pop();
  const Global* type = pop()->get<Global>();
  if (!arguments->get<Tuple>() || !type) damaged("an object of something that is not a class");
  push({Object{type, arguments, nullptr, {}}});
}

/// Attributes of an OrderedDict (_metadata of a state_dict) and of a tensor are of no use here.
void Unpickler::build() {
  const Value* state = pop();
  Value* target = top();
  if (Object* object = std::get_if<Object>(&target->v)) object->state = state;
  else if (!target->get<Dict>() && !target->get<TensorRef>())
    damaged("attributes are set on something that is not an object");
}

}  // namespace

const Value* find(const Dict& dict, std::string_view key, bool* twice) {
  const Value* found = nullptr;
  for (const auto& [name, value] : dict.items) {
    const std::string_view* text = name->get<std::string_view>();
    if (!text || *text != key) continue;
    if (!found) found = value;
    else if (twice) *twice = true;
  }
  return found;
}

const Dict* dict_of(const Value& value) {
  if (const Object* object = value.get<Object>(); object && !object->items.items.empty()) return &object->items;
  return value.get<Dict>();
}

const Value& load(ByteReader& reader, Arena& arena) { return Unpickler(reader, arena).run(); }

}  // namespace cbir::pickle
