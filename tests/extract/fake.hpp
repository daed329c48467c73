#pragma once
/// Small pictures, and an encoder that needs no network.

#include <algorithm>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <cbir/base/file.hpp>
#include <cbir/base/text.hpp>
#include <cbir/encoder/encoder.hpp>
#include <cbir/extract/extract.hpp>
#include <tests/temporary.hpp>

/// The mean colours of the four quarters, and a last number that tells how many pictures the call had: as with a real
/// network, a vector may depend on that.
class FakeEncoder : public cbir::Encoder {
 public:
  static constexpr int kSide = 8;

  FakeEncoder() : Encoder(make_preset(), std::string(64, 'f')) {}
  std::size_t dim() const override { return 13; }

  void encode(std::span<const cbir::Image> pictures, cbir::MatrixView<float> out) const override {
    for (std::size_t i = 0; i < out.rows; ++i) {
      const std::vector<std::uint8_t>& picture = pictures[i].data;
      std::fill_n(out.row(i).begin(), dim(), 0.0F);
      for (std::size_t at = 0; at < picture.size(); ++at) {
        const std::size_t x = at / 3 % kSide, y = at / 3 / kSide;
        out.row(i)[(y / (kSide / 2) * 2 + x / (kSide / 2)) * 3 + at % 3] += static_cast<float>(picture[at]) / 4096;
      }
      out.row(i)[12] = static_cast<float>(out.rows);
    }
  }

  static cbir::Preset make_preset() {
    cbir::Preset preset;
    preset.name = "fake";
    preset.dimension = 13;
    preset.preprocessing.resize = preset.preprocessing.crop = kSide;
    preset.normalization = "none";
    preset.json = R"({"name":"fake"})";
    return preset;
  }
};

/// An EncoderChoice of FakeEncoder that counts how often it was opened.
inline cbir::EncoderChoice fake_choice(int* opened = nullptr) {
  return {.preset = FakeEncoder::make_preset(), .fingerprint = std::string(64, 'f'), .open = [opened] {
            if (opened) ++*opened;
            return std::make_unique<FakeEncoder>();
          }};
}

/// A small JPEG; each seed gives another.
inline std::string jpeg(int seed, int width = 16, int height = 12) {
  cbir::Image image(width, height);
  for (std::size_t i = 0; i < image.data.size(); ++i)
    image.data[i] = static_cast<std::uint8_t>(seed * 37 + static_cast<int>(i) * (seed % 5 + 1));
  const std::vector<std::byte> bytes = cbir::encode_jpeg(image, 90);
  return std::string(cbir::as_text(bytes));
}

/// A folder of pictures 0.jpg to (count-1).jpg in folders a and b, and an output name beside it.
struct Pictures {
  explicit Pictures(int count) {
    cbir::make_directories(root + "/a");
    cbir::make_directories(root + "/b");
    for (int i = 0; i < count; ++i) write((i % 3 ? "a/" : "b/") + std::to_string(i) + ".jpg", jpeg(i));
  }
  void write(const std::string& name, const std::string& content) const {
    cbir::write_file(root + "/" + name, content, true);
  }
  cbir::Listing list() const { return cbir::list_paths({root}, {}); }
  cbir::ExtractOptions options(const std::string& name = "set") const {
    cbir::ExtractOptions out;
    out.output = folder / name;
    out.batch = 4;
    return out;
  }
  /// The four files of a set, one after another.
  std::string content(const std::string& name = "set") const {
    const cbir::SetPaths paths = cbir::set_paths(folder / name);
    return cbir::read_text(paths.npy) + cbir::read_text(paths.rows) + cbir::read_text(paths.manifest) +
           cbir::read_text(paths.failed);
  }
  TemporaryFolder folder;
  std::string root = folder / "in";
};

/// A row of a set.
inline std::vector<float> vector_of(const cbir::EmbeddingSet& set, std::size_t row) {
  std::vector<float> out(set.dim());
  set.matrix().read(row, 1, out.data());
  return out;
}

/// What a set lists as failed.
inline std::vector<cbir::FailedItem> failures(const std::string& name) {
  std::vector<cbir::FailedItem> out;
  const std::string text = cbir::read_text(cbir::set_paths(name).failed);
  for (const std::string_view line : cbir::split(text, '\n'))
    if (!line.empty()) out.push_back(cbir::parse_failed_item(line, "failed"));
  return out;
}
