#pragma once
/// Zeroed floats that begin at a cache line, so that no vector load of the kernels straddles two.

#include <cstddef>
#include <memory>
#include <new>

namespace cbir {

class AlignedFloats {
 public:
  explicit AlignedFloats(std::size_t count) : data_(new (kAlignment) float[count]()) {}
  float* data() noexcept { return data_.get(); }
  const float* data() const noexcept { return data_.get(); }

 private:
  static constexpr std::align_val_t kAlignment{64};
  struct Delete {
    void operator()(float* data) const { ::operator delete[](data, kAlignment); }
  };
  std::unique_ptr<float[], Delete> data_;
};

}  // namespace cbir
