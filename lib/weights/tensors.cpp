#include <cbir/weights/tensors.hpp>

#include <fmt/format.h>

#include <cbir/base/error.hpp>
#include <cbir/base/file.hpp>
#include <cbir/base/text.hpp>

#include "legacy.hpp"

namespace cbir {
namespace {

/// What an unreadable file seems to be, and what to do about it.
std::string found_instead(Bytes file) {
  const std::string_view text = as_text(file);
  if (text.empty()) return "the file is empty";
  if (text.starts_with("PK\x03\x04"))
    return "found a zip archive, as torch.save writes since PyTorch 1.6; save it again with "
           "_use_new_zipfile_serialization=False";
  if (file.size() > 9 && text[8] == '{')
    return "found what looks like safetensors; save the state_dict with torch.save";
  if (text.starts_with("\x80")) return "found a pickle that torch.save did not write";
  return "found something else";
}

}  // namespace

std::string_view to_string(TensorType type) {
  switch (type) {
    case TensorType::float32:
      return "float32";
    case TensorType::float16:
      return "float16";
    case TensorType::bfloat16:
      return "bfloat16";
    case TensorType::float64:
      return "float64";
    case TensorType::int64:
      return "int64";
    case TensorType::int32:
      return "int32";
    case TensorType::int16:
      return "int16";
    case TensorType::int8:
      return "int8";
    case TensorType::uint8:
      return "uint8";
    case TensorType::boolean:
      return "bool";
  }
  return "unknown";
}

std::size_t item_size(TensorType type) {
  switch (type) {
    case TensorType::float64:
    case TensorType::int64:
      return 8;
    case TensorType::float32:
    case TensorType::int32:
      return 4;
    case TensorType::float16:
    case TensorType::bfloat16:
    case TensorType::int16:
      return 2;
    case TensorType::int8:
    case TensorType::uint8:
    case TensorType::boolean:
      return 1;
  }
  return 1;
}

std::int64_t Tensor::elements() const {
  std::int64_t count = 1;
  for (const std::int64_t size : shape) count *= size;
  return count;
}

TensorMap read_tensors(const std::string& path) {
  auto file = std::make_shared<const MappedFile>(path);
  return read_tensors(file->bytes(), path, file);
}

TensorMap read_tensors(Bytes file, const std::string& name, std::shared_ptr<const void> owner) {
  if (weights::is_legacy_checkpoint(file)) return weights::read_legacy_checkpoint(file, name, owner);
  throw Incompatible(
      fmt::format("{}: not a checkpoint that this version reads: {}; expected a legacy .pth of torch.save",
                  display_path(name), found_instead(file)));
}

}  // namespace cbir
