#pragma once
/// An encoder without a network: the mean colour of a picture, and a constant.

#include <array>
#include <atomic>
#include <cmath>
#include <memory>

#include <cbir/extract/extract.hpp>

inline constexpr int kFakeSide = 4;

inline cbir::Preset fake_preset() {
  cbir::Preset preset;
  preset.name = "mean-colour";
  preset.dimension = 4;
  preset.preprocessing.resize = kFakeSide;
  preset.preprocessing.crop = kFakeSide;
  preset.json = R"({"name":"mean-colour"})";
  return preset;
}

class FakeEncoder : public cbir::Encoder {
 public:
  explicit FakeEncoder(std::atomic<int>* encoded) : Encoder(fake_preset(), std::string(64, 'a')), encoded_(encoded) {}

  std::size_t dim() const override { return 4; }
  void encode(std::span<const cbir::Image> pictures, cbir::MatrixView<float> out) const override {
    for (std::size_t i = 0; i < out.rows; ++i) {
      std::array<float, 4> sum = {0, 0, 0, 10};
      const std::vector<std::uint8_t>& picture = pictures[i].data;
      for (std::size_t b = 0; b < picture.size(); ++b) sum[b % 3] += static_cast<float>(picture[b]);
      float length = 0;
      for (const float x : sum) length += x * x;
      for (std::size_t c = 0; c < 4; ++c) out.row(i)[c] = sum[c] / std::sqrt(length);
    }
    *encoded_ += static_cast<int>(out.rows);
  }

 private:
  std::atomic<int>* encoded_;
};

/// `opened` counts how often the encoder was loaded.
inline cbir::EncoderChoice fake_choice(std::atomic<int>* encoded, std::atomic<int>* opened) {
  return {.preset = fake_preset(), .fingerprint = std::string(64, 'a'), .open = [encoded, opened] {
            ++*opened;
            return std::make_unique<FakeEncoder>(encoded);
          }};
}
