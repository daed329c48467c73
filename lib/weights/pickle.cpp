#include "pickle.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <optional>
#include <unordered_map>

#include <cbir/base/error.hpp>
#include <cbir/base/text.hpp>

namespace cbir::pickle {
namespace {

// Far above any real checkpoint (a few thousand tensors), low enough that a hostile file cannot take much memory.
constexpr std::size_t kMaxValues = 2'000'000;
constexpr std::size_t kMaxDimensions = 64;

enum Opcode : std::uint8_t {
  kMark = '(',
  kStop = '.',
  kPop = '0',
  kPopMark = '1',
  kBinInt = 'J',
  kBinInt1 = 'K',
  kBinInt2 = 'M',
  kNone = 'N',
  kBinPersId = 'Q',
  kReduce = 'R',
  kBinString = 'T',
  kShortBinString = 'U',
  kBinUnicode = 'X',
  kAppend = 'a',
  kBuild = 'b',
  kGlobal = 'c',
  kAppends = 'e',
  kBinGet = 'h',
  kLongBinGet = 'j',
  kBinPut = 'q',
  kLongBinPut = 'r',
  kSetItem = 's',
  kTuple = 't',
  kSetItems = 'u',
  kBinFloat = 'G',
  kEmptyDict = '}',
  kEmptyList = ']',
  kEmptyTuple = ')',
  kBinBytes = 'B',
  kShortBinBytes = 'C',
  kProto = 0x80,
  kTuple1 = 0x85,
  kTuple2 = 0x86,
  kTuple3 = 0x87,
  kNewTrue = 0x88,
  kNewFalse = 0x89,
  kLong1 = 0x8a,
  kLong4 = 0x8b,
  kShortBinUnicode = 0x8c,
  kBinUnicode8 = 0x8d,
  kBinBytes8 = 0x8e,
  kStackGlobal = 0x93,
  kMemoize = 0x94,
  kFrame = 0x95
};

constexpr std::string_view kOrderedDict = "collections.OrderedDict";
constexpr std::string_view kRebuildTensor = "torch._utils._rebuild_tensor_v2";
constexpr std::string_view kRebuildParameter = "torch._utils._rebuild_parameter";

std::optional<TensorType> storage_type(std::string_view name) {
  static constexpr std::array<std::pair<std::string_view, TensorType>, 11> kTypes = {{
      {"torch.FloatStorage", TensorType::float32},
      {"torch.HalfStorage", TensorType::float16},
      {"torch.BFloat16Storage", TensorType::bfloat16},
      {"torch.DoubleStorage", TensorType::float64},
      {"torch.LongStorage", TensorType::int64},
      {"torch.IntStorage", TensorType::int32},
      {"torch.ShortStorage", TensorType::int16},
      {"torch.CharStorage", TensorType::int8},
      {"torch.ByteStorage", TensorType::uint8},
      {"torch.UntypedStorage", TensorType::uint8},
      {"torch.BoolStorage", TensorType::boolean},
  }};
  for (const auto& [known, type] : kTypes)
    if (known == name) return type;
  return {};
}

bool is_known_global(std::string_view name) {
  return name == kOrderedDict || name == kRebuildTensor || name == kRebuildParameter || storage_type(name).has_value();
}

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

  [[noreturn]] void damaged(std::string_view what) const {
    throw DamagedFile(fmt::format("{}: damaged pickle at byte {}: {}", display_path(reader_.name()), start_, what));
  }

  Value* push(Value value) {
    if (arena_.size() >= kMaxValues)
      throw ResourceLimit(
          fmt::format("{}: the pickle at byte {} holds more than {} values; a checkpoint of plain tensors was expected",
                      display_path(reader_.name()), start_, kMaxValues));
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

  std::string take_text(std::uint64_t length) {
    std::string text(as_text(reader_.take(static_cast<std::size_t>(length), "a string")));
    if (!is_utf8(text)) damaged("a string is not UTF-8");
    return text;
  }

  std::string take_line() {
    std::string line;
    for (;;) {
      const char c = static_cast<char>(reader_.read<std::uint8_t>("a name"));
      if (c == '\n') return line;
      if (line.size() >= 512) damaged("a name of more than 512 bytes");
      line += c;
    }
  }

  void push_long(std::uint64_t length) {
    const std::string_view bytes = as_text(reader_.take(static_cast<std::size_t>(length), "an integer"));
    if (bytes.size() > 8) {
      push({Blob{std::string(bytes)}});
      return;
    }
    std::uint64_t number = !bytes.empty() && (bytes.back() & 0x80) ? ~std::uint64_t{0} : 0;
    for (std::size_t i = bytes.size(); i-- > 0;) number = number << 8 | static_cast<std::uint8_t>(bytes[i]);
    push({static_cast<std::int64_t>(number)});
  }

  void push_global(const std::string& name) {
    if (!is_known_global(name))
      throw Incompatible(fmt::format(
          "{}: uses {} (at byte {}), which is neither a tensor nor a plain container; nothing in a checkpoint is ever "
          "executed. Save the state_dict of the model alone",
          display_path(reader_.name()), display_path(name), start_));
    push({Global{name}});
  }

  std::uint32_t memo_key(std::uint8_t opcode) {
    return opcode == kBinGet || opcode == kBinPut ? reader_.read<std::uint8_t>("a memo index")
                                                  : reader_.read<std::uint32_t>("a memo index");
  }

  void add_items(Value* dict_value, const std::vector<const Value*>& items) {
    Dict* dict = std::get_if<Dict>(&dict_value->v);
    if (!dict) damaged("items are set in something that is not a dict");
    if (items.size() % 2) damaged("a key without a value");
    for (std::size_t i = 0; i < items.size(); i += 2) dict->items.emplace_back(items[i], items[i + 1]);
  }

  void append_items(Value* list_value, const std::vector<const Value*>& items) {
    List* list = std::get_if<List>(&list_value->v);
    if (!list) damaged("items are appended to something that is not a list");
    list->items.insert(list->items.end(), items.begin(), items.end());
  }

  void reduce();
  void persistent_id();
  TensorRef tensor(const Tuple& arguments) const;
  std::vector<std::int64_t> integers(const Value& value) const;
  std::uint64_t count(const Value& value) const;

  ByteReader& reader_;
  Arena& arena_;
  std::size_t start_ = 0;  // of the current opcode
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
      const std::string module = take_line();
      return push_global(module + "." + take_line());
    }
    case kStackGlobal: {
      const std::string* name = pop()->get<std::string>();
      const std::string* module = pop()->get<std::string>();
      if (!name || !module) damaged("a global without a name");
      return push_global(*module + "." + *name);
    }
    case kReduce:
      return reduce();
    case kBinPersId:
      return persistent_id();
    case kBuild: {  // attributes of an OrderedDict (_metadata of a state_dict) are of no use here
      pop();
      if (!top()->get<Dict>()) damaged("attributes are set on something that is not an OrderedDict");
      return;
    }
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
      push({take_text(reader_.read<std::uint32_t>("a string's length"))});
      return true;
    case kShortBinUnicode:
      push({take_text(reader_.read<std::uint8_t>("a string's length"))});
      return true;
    case kBinUnicode8:
      push({take_text(reader_.read<std::uint64_t>("a string's length"))});
      return true;
    // Python 2 wrote str, its names included, as these.
    case kBinString:
      push({take_text(reader_.read<std::uint32_t>("a string's length"))});
      return true;
    case kShortBinString:
      push({take_text(reader_.read<std::uint8_t>("a string's length"))});
      return true;
    case kBinBytes:
    case kShortBinBytes:
    case kBinBytes8: {
      const std::uint64_t length = opcode == kBinBytes        ? reader_.read<std::uint32_t>("a length")
                                   : opcode == kShortBinBytes ? reader_.read<std::uint8_t>("a length")
                                                              : reader_.read<std::uint64_t>("a length");
      push({Blob{std::string(as_text(reader_.take(static_cast<std::size_t>(length), "bytes")))}});
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
    case kAppends: {
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

/// The only calls: an OrderedDict, a tensor out of a storage, a parameter (which is its tensor).
void Unpickler::reduce() {
  const Tuple* arguments = pop()->get<Tuple>();
  const Global* function = pop()->get<Global>();
  if (!arguments || !function) damaged("a call of something that is not a function");
  if (function->name == kRebuildTensor) {
    push({tensor(*arguments)});
  } else if (function->name == kRebuildParameter) {
    const TensorRef* data = arguments->items.empty() ? nullptr : arguments->items[0]->get<TensorRef>();
    if (!data) damaged("a parameter without a tensor");
    push({*data});
  } else if (function->name == kOrderedDict) {
    Dict dict;
    if (!arguments->items.empty()) {  // Python 2: a list of [key, value]
      const List* pairs = arguments->items[0]->get<List>();
      if (!pairs) damaged("an OrderedDict of something that is not a list");
      for (const Value* pair : pairs->items) {
        const auto* entry = pair->get<List>()    ? &pair->get<List>()->items
                            : pair->get<Tuple>() ? &pair->get<Tuple>()->items
                                                 : nullptr;
        if (!entry || entry->size() != 2) damaged("an OrderedDict's item is not a pair");
        dict.items.emplace_back((*entry)[0], (*entry)[1]);
      }
    }
    push({std::move(dict)});
  } else {
    damaged("a call of " + function->name);
  }
}

std::uint64_t Unpickler::count(const Value& value) const {
  const std::int64_t* number = value.get<std::int64_t>();
  if (!number || *number < 0) damaged("a count that is not a number, or is negative");
  return static_cast<std::uint64_t>(*number);
}

std::vector<std::int64_t> Unpickler::integers(const Value& value) const {
  const Tuple* tuple = value.get<Tuple>();
  if (!tuple) damaged("a shape or stride that is not a tuple");
  if (tuple->items.size() > kMaxDimensions) damaged("a tensor of more than 64 dimensions");
  std::vector<std::int64_t> out;
  for (const Value* item : tuple->items) out.push_back(static_cast<std::int64_t>(count(*item)));
  return out;
}

/// (storage, offset, shape, stride, requires_grad, backward_hooks, ...)
TensorRef Unpickler::tensor(const Tuple& arguments) const {
  if (arguments.items.size() < 4) damaged("a tensor with too few arguments");
  const StorageRef* storage = arguments.items[0]->get<StorageRef>();
  if (!storage) damaged("a tensor without a storage");
  TensorRef out{storage, static_cast<std::int64_t>(count(*arguments.items[1])), integers(*arguments.items[2]),
                integers(*arguments.items[3])};
  if (out.shape.size() != out.stride.size()) damaged("a tensor whose shape and stride differ in length");
  return out;
}

/// ('storage', type, key, location, elements, view) with view None or (key, offset, elements).
void Unpickler::persistent_id() {
  const Tuple* id = pop()->get<Tuple>();
  if (!id || id->items.size() < 5) damaged("a persistent id that is not a storage's");
  const auto& item = id->items;
  const std::string* tag = item[0]->get<std::string>();
  const Global* type_name = item[1]->get<Global>();
  const std::string* key = item[2]->get<std::string>();
  const std::optional<TensorType> type = type_name ? storage_type(type_name->name) : std::nullopt;
  if (!tag || *tag != "storage" || !type || !key) damaged("a persistent id that is not a storage's");
  StorageRef storage{*type, *key, count(*item[4]), 0, 0};
  storage.view_elements = storage.elements;
  if (item.size() > 5 && !item[5]->get<None>()) {
    const Tuple* view = item[5]->get<Tuple>();
    if (!view || view->items.size() != 3) damaged("a storage's view that is not a triple");
    storage.view_offset = count(*view->items[1]);
    storage.view_elements = count(*view->items[2]);
    if (storage.view_offset > storage.elements || storage.view_elements > storage.elements - storage.view_offset)
      damaged("a storage's view that lies outside the storage");
  }
  push({std::move(storage)});
}

}  // namespace

const Value& load(ByteReader& reader, Arena& arena) { return Unpickler(reader, arena).run(); }

}  // namespace cbir::pickle
