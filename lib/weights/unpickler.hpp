#pragma once
/// The machine of pickle.hpp: a stack of values, marks in it, and a memo. Its opcodes are in pickle.cpp, but for
/// numbers and strings, which are in pickle_scalars.cpp.

#include <fmt/format.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <cbir/base/error.hpp>
#include <cbir/base/text.hpp>
#include <cbir/weights/pickle.hpp>

#include "pickle_opcodes.hpp"
#include "torch_objects.hpp"

namespace cbir::pickle {

// Far above any real checkpoint (a few thousand tensors), low enough that a hostile file cannot take much memory.
inline constexpr std::size_t kMaxValues = 2'000'000;
inline constexpr std::size_t kMaxName = 512;  // of a module or a class

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
  bool step_text(std::uint8_t opcode);

  Place place() const { return {reader_.name(), start_}; }
  [[noreturn]] void damaged(std::string_view what) const { place().damaged(what); }

  [[noreturn]] void too_much() const {
    throw ResourceLimit(fmt::format("{}: the pickle at byte {} holds more than {} values, which no checkpoint does",
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
  /// Up to a newline, which is taken too.
  std::string_view take_line(std::string_view what);
  std::string_view take_name();
  std::int64_t take_integer(std::string_view what);
  /// A view of text that the arena keeps.
  std::string_view keep(std::string text);

  void push_text(std::uint64_t length);
  /// Python 2's str: a name or raw bytes.
  void push_old_text(std::uint64_t length);
  void push_long(std::uint64_t length);
  std::uint32_t memo_key(std::uint8_t opcode);

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

}  // namespace cbir::pickle
