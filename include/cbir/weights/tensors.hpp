#pragma once
/// Named tensors out of checkpoint files. A checkpoint is data from strangers: nothing in it is executed, every length,
/// offset, shape and stride is checked, and memory use is bounded by the file's size.

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <cbir/base/bytes.hpp>

namespace cbir {

enum class TensorType { float32, float16, bfloat16, float64, int64, int32, int16, int8, uint8, boolean };

std::string_view to_string(TensorType type);
std::size_t item_size(TensorType type);

/// A dense C-order tensor whose bytes lie in the file's mapping, or in memory that `owner` keeps.
struct Tensor {
  TensorType type = TensorType::float32;
  std::vector<std::int64_t> shape;  ///< empty: a scalar
  Bytes data;
  std::shared_ptr<const void> owner;

  std::int64_t elements() const;
};

using TensorMap = std::map<std::string, Tensor>;

/// Reads a checkpoint, whichever of the known formats it is by its content.
/// Formats: safetensors; .pth and .pt of torch.save, zip (since PyTorch 1.6) and legacy, which hold a state_dict, a
/// training checkpoint around one, or a whole pickled module; TorchScript archives of torch.jit.save. Nothing in them
/// is run. Names are those of the model's state_dict(); lib/weights/state_dict.hpp says what is taken out of a
/// checkpoint. Throws MissingInput, DamagedFile (with the byte offset), Incompatible (another kind of file, or one that
/// holds no tensors), ResourceLimit.
TensorMap read_tensors(const std::string& path);

/// As above, from memory. `name` is for messages. The tensors may point into `file`.
TensorMap read_tensors(Bytes file, const std::string& name, std::shared_ptr<const void> owner = {});

}  // namespace cbir
