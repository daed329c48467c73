#include <cbir/weights/tensors.hpp>

#include <fmt/format.h>

#include <cbir/base/error.hpp>
#include <cbir/base/file.hpp>
#include <cbir/base/text.hpp>

#include "legacy.hpp"
#include "safetensors.hpp"
#include "torch_zip.hpp"

namespace cbir {
namespace {

/// What an unreadable file seems to be.
std::string_view found_instead(Bytes file) {
  const std::string_view text = as_text(file);
  if (text.empty()) return "the file is empty";
  if (text.starts_with("\x80")) return "found a pickle that torch.save did not write";
  if (text.starts_with("\x89HDF\r\n")) return "found HDF5, as Keras writes it";
  if (text.size() > 262 && text.substr(257).starts_with("ustar"))
    return "found a tar archive, as PyTorch before 0.1.10 wrote";
  if (text.starts_with("version https://git-lfs"))
    return "found a pointer of Git LFS; get the file itself with git lfs pull";
  if (text.starts_with("<")) return "found what looks like a web page; the download may have failed";
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
  if (weights::is_zip(file)) return weights::read_torch_zip(file, name, owner);
  if (weights::is_safetensors(file)) return weights::read_safetensors(file, name, owner);
  throw Incompatible(
      fmt::format("{}: not a checkpoint: {}; expected .safetensors, or a .pth or .pt of torch.save (zip or legacy) or "
                  "torch.jit.save",
                  display_path(name), found_instead(file)));
}

}  // namespace cbir
