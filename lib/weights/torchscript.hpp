#pragma once
/// What the source code inside a TorchScript archive says of its classes. It is text to look a list of names up in, and
/// never run.

#include <map>
#include <set>
#include <string>
#include <string_view>

#include <cbir/weights/pickle.hpp>

#include "zip.hpp"

namespace cbir::weights {

/// Tells a module's parameters and buffers from tensors that are mere attributes, which state_dict() leaves out.
class TorchScriptCode {
 public:
  /// `root` is the archive's folder, with its '/'.
  TorchScriptCode(ZipArchive& archive, std::string root) : archive_(archive), root_(std::move(root)) {}

  struct Class {
    bool module = true;                  ///< false: some other class, which no state_dict() enters
    bool known = false;                  ///< false: its code was not found; every tensor counts
    std::set<std::string_view> tensors;  ///< the names of its parameters and buffers
  };

  /// __torch__.a.b.Net is the class Net in code/__torch__/a/b.py. Throws as ZipArchive::read.
  const Class& look_up(const pickle::Global& type);

 private:
  using Classes = std::map<std::string_view, Class>;
  Classes read_source(std::string_view module);

  ZipArchive& archive_;
  std::string root_;
  std::map<std::string_view, Classes> files_;  // by module
};

}  // namespace cbir::weights
