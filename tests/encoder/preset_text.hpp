#pragma once
/// A small sound preset, and the same with one field changed.

#include <string>

inline std::string preset_text() {
  return R"({"name": "tiny", "description": "a test", "network": "efficientnet-lite0", "layer": "pooled", "pool": "avg",
    "dimension": 1280, "preprocessing": {"resize": 256, "filter": "bicubic", "resize_rounding": "round", "crop": 224,
    "crop_rounding": "floor", "mean": [127, 127, 127], "std": [128, 128, 128]}, "normalization": "l2", "metric": "cosine",
    "weights": {"file": "tiny.pth", "sha256": "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", "size": 3,
    "licence": "MIT", "pypi": "tiny==1.0", "pypi_member": "tiny/tiny.pth"}})";
}

/// The text with one piece replaced; the piece must be there.
inline std::string preset_with(const std::string& what, const std::string& by) {
  std::string text = preset_text();
  return text.replace(text.find(what), what.size(), by);
}
