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
///   delay             [milliseconds that a call with pictures takes, ...]
///   hoard             [MiB of memory that the network takes for good, ...]
///   scratch           [MiB of memory that a call with pictures takes while it lasts, ...]
///
/// Two files tell calls with pictures what else to do, so that a test meets a run at work on whatever machine:
///
///   CBIR_FAKE_HOLD    "FROM TO": as long as the file is there, this process's calls FROM to TO, from 1, do not return;
///                     CBIR_FAKE_HOLD.held is there once a call is held
///   CBIR_FAKE_LOG     each call that returns adds a line, how many pictures it had

#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <limits>
#include <new>
#include <string>
#include <thread>
#include <vector>

#include <cbir/encoder/net_plugin.h>

struct cbir_net {
  std::uint32_t context = 0, vocabulary = 0;
  bool dependent = false;
  std::uint32_t delay = 0, scratch = 0;
  std::vector<char> hoard;
};

namespace {

constexpr std::uint32_t kDimension = 4;

/// The token of a word's last letter, where no merge joins letters: bytes are numbered from '!', those that end a word
/// by 256 more.
constexpr std::int32_t last(char letter) { return 256 + letter - '!'; }

int create(const cbir_net_source* source, cbir_net** net, char* message, std::size_t size) {
  *net = new cbir_net;
  std::uint32_t hoard = 0;
  for (std::size_t i = 0; i < source->tensor_count; ++i) {
    const cbir_net_tensor& tensor = source->tensors[i];
    const std::uint32_t length = tensor.dims > 0 ? static_cast<std::uint32_t>(tensor.shape[0]) : 0;
    if (std::strcmp(tensor.name, "token_embedding") == 0) (*net)->vocabulary = length;
    if (std::strcmp(tensor.name, "context") == 0) (*net)->context = length;
    if (std::strcmp(tensor.name, "dependent") == 0) (*net)->dependent = true;
    if (std::strcmp(tensor.name, "delay") == 0) (*net)->delay = length;
    if (std::strcmp(tensor.name, "scratch") == 0) (*net)->scratch = length;
    if (std::strcmp(tensor.name, "hoard") == 0) hoard = length;
  }
  try {
    (*net)->hoard.assign(std::size_t{hoard} << 20, 1);
  } catch (const std::bad_alloc&) {
    delete *net;
    *net = nullptr;
    std::snprintf(message, size, "%u MiB are not to be had", hoard);
    return 9;  // as ExitCode::resource
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

void hold() {
  static std::atomic<unsigned> calls = 0;
  const unsigned call = ++calls;
  const char* const path = std::getenv("CBIR_FAKE_HOLD");
  for (; path != nullptr; std::this_thread::sleep_for(std::chrono::milliseconds(1))) {
    unsigned from = 0, to = 0;
    if (!(std::ifstream(path) >> from >> to) || call < from || call > to) return;
    std::ofstream(std::string(path) + ".held");
  }
}

void note(std::size_t count) {
  const char* const path = std::getenv("CBIR_FAKE_LOG");
  if (path == nullptr) return;
  const std::string line = std::to_string(count) + "\n";
  const int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
  if (write(fd, line.data(), line.size()) < 0) std::abort();
  close(fd);
}

int encode(const cbir_net* net, const cbir_net_picture* pictures, std::size_t count, float* out, char*, std::size_t) {
  hold();
  const std::vector<char> scratch(std::size_t{net->scratch} << 20, 1);
  std::this_thread::sleep_for(std::chrono::milliseconds(net->delay));
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
  note(count);
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
