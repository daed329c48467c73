/// A network that reads colours and their names, and gives four numbers:
///
///   of a picture   the means of red, green and blue, 0 to 1, and 0.1
///   of a text      how many words end in d, n and e - re(d), gree(n), blu(e) - and 0.1
///
/// A word that ends in q becomes a NaN. The checkpoint's tensors say what there is, by their shapes alone:
///
///   token_embedding   [tokens there are, ...]; without it the network reads no text
///   context           [tokens of a text, ...]
///   dependent         if it is there, a vector depends on how many inputs a call has

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>

#include <cbir/encoder/net_plugin.h>

struct cbir_net {
  std::uint32_t context = 0, vocabulary = 0;
  bool dependent = false;
};

namespace {

constexpr std::uint32_t kDimension = 4;

/// The token of a word's last letter, where no merge joins letters: bytes are numbered from '!', those that end a word
/// by 256 more.
constexpr std::int32_t last(char letter) { return 256 + letter - '!'; }

int create(const cbir_net_source* source, cbir_net** net, char*, std::size_t) {
  *net = new cbir_net;
  for (std::size_t i = 0; i < source->tensor_count; ++i) {
    const cbir_net_tensor& tensor = source->tensors[i];
    const std::uint32_t length = tensor.dims > 0 ? static_cast<std::uint32_t>(tensor.shape[0]) : 0;
    if (std::strcmp(tensor.name, "token_embedding") == 0) (*net)->vocabulary = length;
    if (std::strcmp(tensor.name, "context") == 0) (*net)->context = length;
    if (std::strcmp(tensor.name, "dependent") == 0) (*net)->dependent = true;
  }
  return 0;
}

void describe(const cbir_net* net, cbir_net_info* info) {
  *info = {.dim = kDimension,
           .width = 0,
           .height = 0,
           .independent = net->dependent ? 0U : 1U,
           .context = net->context,
           .vocabulary = net->vocabulary,
           .precision = "float32",
           .device = "cpu"};
}

void finish(const cbir_net* net, std::size_t count, float* row) {
  row[3] = net->dependent ? 0.1F * static_cast<float>(count) : 0.1F;
}

int encode(const cbir_net* net, const cbir_net_picture* pictures, std::size_t count, float* out, char*, std::size_t) {
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t pixels = std::size_t{pictures[i].width} * pictures[i].height;
    float* row = out + i * kDimension;
    for (std::size_t c = 0; c < 3; ++c) {
      double sum = 0;
      for (std::size_t p = 0; p < pixels; ++p) sum += pictures[i].pixels[p * 3 + c];
      row[c] = static_cast<float>(sum / (255.0 * static_cast<double>(pixels)));
    }
    finish(net, count, row);
  }
  return 0;
}

int encode_text(const cbir_net* net, const std::int32_t* tokens, std::size_t count, float* out, char*, std::size_t) {
  for (std::size_t i = 0; i < count; ++i) {
    float* row = out + i * kDimension;
    row[0] = row[1] = row[2] = 0;
    finish(net, count, row);
    for (const std::int32_t* token = tokens + i * net->context; token < tokens + (i + 1) * net->context; ++token) {
      row[0] += *token == last('d') ? 1.0F : 0.0F;
      row[1] += *token == last('n') ? 1.0F : 0.0F;
      row[2] += *token == last('e') ? 1.0F : 0.0F;
      if (*token == last('q')) row[3] = std::numeric_limits<float>::quiet_NaN();
    }
  }
  return 0;
}

void destroy(cbir_net* net) { delete net; }

constexpr cbir_net_api kApi = {CBIR_NET_ABI, create, describe, encode, encode_text, destroy};

}  // namespace

extern "C" __attribute__((visibility("default"))) const cbir_net_api* cbir_net_plugin(void) { return &kApi; }
