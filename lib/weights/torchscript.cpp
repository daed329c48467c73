#include "torchscript.hpp"

#include <algorithm>

#include <cbir/base/text.hpp>

namespace cbir::weights {
namespace {

/// The quoted names of a line like `  __buffers__ = ["mean", "count", ]`; names hold no quotes or escapes.
void add_names(std::string_view line, std::set<std::string_view>& names) {
  for (std::size_t open = line.find('"'); open != std::string_view::npos;) {
    const std::size_t close = line.find('"', open + 1);
    if (close == std::string_view::npos) return;
    names.insert(line.substr(open + 1, close - open - 1));
    open = line.find('"', close + 1);
  }
}

/// Takes one line off the text.
std::string_view take_line(std::string_view& text) {
  const std::size_t end = std::min(text.find('\n'), text.size());
  const std::string_view line = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  return line;
}

}  // namespace

TorchScriptCode::Classes TorchScriptCode::read_source(std::string_view module) {
  std::string entry = root_ + "code/" + std::string(module) + ".py";
  std::replace(entry.begin() + static_cast<std::ptrdiff_t>(root_.size()), entry.end() - 3, '.', '/');
  Classes out;
  if (!archive_.contains(entry)) return out;
  std::string_view text = as_text(archive_.read(entry).data);
  Class* current = nullptr;
  while (!text.empty()) {
    const std::string_view line = take_line(text);
    constexpr std::string_view kClass = "class ";
    if (line.starts_with(kClass)) {
      const std::size_t end = std::min(line.find_first_of("(:", kClass.size()), line.size());
      current = &out[line.substr(kClass.size(), end - kClass.size())];
      current->known = true;
      current->module = line.substr(end).starts_with("(Module)");
    } else if (current && (line.starts_with("  __parameters__ = [") || line.starts_with("  __buffers__ = ["))) {
      add_names(line, current->tensors);
    }
  }
  return out;
}

const TorchScriptCode::Class& TorchScriptCode::look_up(const pickle::Global& type) {
  auto found = files_.find(type.module);
  if (found == files_.end()) found = files_.emplace(type.module, read_source(type.module)).first;
  return found->second[type.name];
}

}  // namespace cbir::weights
