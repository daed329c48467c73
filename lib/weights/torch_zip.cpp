#include "torch_zip.hpp"

#include <fmt/format.h>

#include <optional>

#include <cbir/base/error.hpp>
#include <cbir/base/text.hpp>
#include <cbir/weights/pickle.hpp>

#include "state_dict.hpp"
#include "torchscript.hpp"
#include "zip.hpp"

namespace cbir::weights {
namespace {

constexpr std::string_view kPickle = "data.pkl";

/// The folder that holds data.pkl, with its '/'.
std::string find_root(const ZipArchive& archive, const std::string& name) {
  std::optional<std::string_view> root;
  bool model_json = false;
  for (const auto& [entry, unused] : archive.entries()) {
    const std::size_t slash = entry.find('/');
    if (slash == std::string_view::npos) continue;
    const std::string_view rest = entry.substr(slash + 1);
    model_json |= rest == "model.json";
    if (rest != kPickle) continue;
    if (root) throw DamagedFile(fmt::format("{}: two folders hold a data.pkl", display_path(name)));
    root = entry.substr(0, slash + 1);
  }
  if (root) return std::string(*root);
  throw Incompatible(
      fmt::format("{}: {}; a zip archive of torch.save or torch.jit.save was expected, which holds FOLDER/data.pkl",
                  display_path(name),
                  model_json ? "a TorchScript archive from before PyTorch 1.4; save it again with a newer one"
                             : fmt::format("a zip archive of {}", counted(archive.entries().size(), "other file"))));
}

void check_byte_order(ZipArchive& archive, const std::string& root, const std::string& name) {
  if (!archive.contains(root + "byteorder")) return;  // before PyTorch 2.1, little-endian but for rare machines
  const std::string_view order = as_text(archive.read(root + "byteorder").data);
  if (order == "big")
    throw Incompatible(
        fmt::format("{}: written by a big-endian machine; save it again on another", display_path(name)));
  if (order != "little") throw DamagedFile(fmt::format("{}: does not state its byte order", display_path(name)));
}

}  // namespace

bool is_zip(Bytes file) {
  const std::string_view text = as_text(file);
  return text.starts_with("PK\x03\x04") || text.starts_with("PK\x05\x06");
}

void use_torch_zip(Bytes file, const std::string& name, const std::shared_ptr<const void>& owner,
                   const UseObject& use) {
  ZipArchive archive(file, name, owner);
  const std::string root = find_root(archive, name);
  check_byte_order(archive, root, name);
  const Content pickled = archive.read(root + std::string(kPickle));
  ByteReader reader(pickled.data, fmt::format("{} ({}{})", name, root, kPickle));
  pickle::Arena arena;
  const pickle::Value& object = pickle::load(reader, arena);

  const FindStorage find = [&](const pickle::StorageRef& ref) -> Storage {
    const std::string entry = root + "data/" + std::string(ref.key);
    const Content content = archive.read(entry);
    const std::size_t item = item_size(ref.type);
    if (content.data.size() % item != 0 || content.data.size() / item != ref.elements)
      throw DamagedFile(fmt::format("{}: entry {} holds {} bytes, {} elements of {} bytes were announced",
                                    display_path(name), display_path(entry), content.data.size(), ref.elements, item));
    return {content.data, content.owner};
  };
  TorchScriptCode code(archive, root);
  const bool script = archive.contains(root + "constants.pkl");
  use(object, find, {name, file.size(), script ? &code : nullptr});
}

TensorMap read_torch_zip(Bytes file, const std::string& name, const std::shared_ptr<const void>& owner) {
  TensorMap tensors;
  use_torch_zip(file, name, owner, [&](const auto&... checkpoint) { tensors = state_dict(checkpoint...); });
  return tensors;
}

}  // namespace cbir::weights
