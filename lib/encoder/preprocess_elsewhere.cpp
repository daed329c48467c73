#include <array>
#include <cstring>
#include <type_traits>

#include <cbir/base/error.hpp>
#include <cbir/base/text.hpp>
#include <cbir/encoder/encoder.hpp>

namespace cbir {
namespace {

/// All but the words, which follow, each ended by a newline. Both sides are the same program.
struct Numbers {
  int resize, crop;
  Filter filter;
  Crop crop_mode;
  std::array<float, 3> mean, std_dev;
};
static_assert(std::is_trivially_copyable_v<Numbers>);

}  // namespace

std::string preprocessing_bytes(const Preprocessing& input) {
  const Numbers numbers{input.resize, input.crop, input.filter, input.crop_mode, input.mean, input.std_dev};
  std::string out(sizeof numbers, '\0');
  std::memcpy(out.data(), &numbers, sizeof numbers);
  for (const std::string* word : {&input.resize_side, &input.resize_rounding, &input.crop_rounding})
    out += *word + "\n";
  return out;
}

Image preprocess_by_bytes(const Image& image, std::string_view bytes) {
  Numbers numbers;
  const auto words = split(bytes.substr(std::min(bytes.size(), sizeof numbers)), '\n');
  if (bytes.size() < sizeof numbers || words.size() < 3)
    throw Error(ExitCode::internal, "what is to be done with a picture is not all there");
  std::memcpy(&numbers, bytes.data(), sizeof numbers);
  return preprocess(image, {.resize = numbers.resize,
                            .resize_side = std::string(words[0]),
                            .filter = numbers.filter,
                            .resize_rounding = std::string(words[1]),
                            .crop_mode = numbers.crop_mode,
                            .crop = numbers.crop,
                            .crop_rounding = std::string(words[2]),
                            .mean = numbers.mean,
                            .std_dev = numbers.std_dev});
}

}  // namespace cbir
