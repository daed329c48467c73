#pragma once
/// From an unpickled checkpoint to named dense tensors; shared by all containers that hold pickles.

#include <functional>
#include <string>

#include <cbir/weights/pickle.hpp>
#include <cbir/weights/tensors.hpp>

#include "torchscript.hpp"
#include "views.hpp"

namespace cbir::weights {

/// Where the pickle came from.
struct Source {
  std::string name;                 ///< the file, for messages
  std::uint64_t size = 0;           ///< of the file, in bytes: what bounds copies and names
  TorchScriptCode* code = nullptr;  ///< of a TorchScript archive
};

/// What is done with an unpickled checkpoint.
using UseObject = std::function<void(const pickle::Value& object, const FindStorage& find, const Source& source)>;

/// What of a checkpoint is the model, as below. Throws DamagedFile (a key that is there twice).
const pickle::Value& model_of(const pickle::Value& object, const std::string& file);

/// The state of a pickled torch.nn.Module, whatever its class; null for anything else.
const pickle::Dict* module_state(const pickle::Value& value);

/// The tensors of a model, named as its state_dict() names them. The model is
/// - what stands under "ema" in a checkpoint, if that is a pickled module (YOLOv5's and Ultralytics' own preference);
/// - else what stands under "state_dict", "model_state_dict" or "model", if that is a dict or a pickled module;
/// - else the pickled object itself: a dict, a pickled module, a module of TorchScript.
/// Of a module _parameters, _buffers (but those not persistent) and _modules count, whatever its class; names of nested
/// modules and dicts are joined by '.'. "module." in front of all names (DataParallel) is taken away. What a
/// checkpoint holds beside the model is ignored, but for "meta" (cnnimageretrieval-pytorch's whitening), whose tensors
/// and numpy arrays are named "meta....".
/// Throws DamagedFile (a tensor outside its storage, a name used twice), Incompatible (no tensors; tensors of a kind
/// that is not read: sparse, quantised), ResourceLimit.
TensorMap state_dict(const pickle::Value& object, FindStorage find, const Source& source);

}  // namespace cbir::weights
