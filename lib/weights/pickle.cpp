#include <optional>

#include "unpickler.hpp"

namespace cbir::pickle {

void Unpickler::step(std::uint8_t opcode) {
  if (step_scalar(opcode) || step_container(opcode) || step_memo(opcode) || step_text(opcode)) return;
  switch (opcode) {
    case kProto:
      if (const auto version = reader_.read<std::uint8_t>("the pickle protocol"); version > 5)
        throw Incompatible(fmt::format("{}: pickle protocol {} at byte {}; up to 5 is read",
                                       display_path(reader_.name()), version, start_));
      return;
    case kFrame:
      reader_.read<std::uint64_t>("a frame's length");
      return;  // only a hint for buffering
    case kGlobal: {
      const std::string_view module = take_name();
      push({Global{module, take_name()}});
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
      damaged(fmt::format("opcode 0x{:02x}, which neither checkpoints nor plain data use", opcode));
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
    case kPut:
    case kBinPut:
    case kLongBinPut: {
      const std::uint32_t key = memo_key(opcode);
      memo_[key] = top();
      break;
    }
    case kMemoize:
      memo_[static_cast<std::uint32_t>(memo_.size())] = top();
      break;
    case kGet:
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
