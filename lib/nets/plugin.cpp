// The C boundary (cbir/encoder/net_plugin.h). Everything beyond it may throw; nothing leaves it by exception.

#include <ATen/Functions.h>

#include <algorithm>
#include <span>
#include <string_view>

#include <cbir/encoder/net_plugin.h>

#include "../net_plugin/working_copies.hpp"
#include "boundary.hpp"
#include "embed.hpp"
#include "families.hpp"
#include "input.hpp"

using namespace cbir;

struct cbir_net {
  nets::Settings settings;
  nets::Traits traits;
  std::unique_ptr<nets::Model> model;
  mutable nets::WorkingCopies<nets::Runner> runners;
};

namespace {

/// On a GPU a picture at a time leaves most of it idle.
constexpr std::int64_t kGpuBatch = 64;

/// What the network does where it is to run.
nets::Traits traits_on(c10::Device device, nets::Traits traits) {
  if (device.is_cuda()) traits.batch = std::max(traits.batch, kGpuBatch);
  return traits;
}

/// How many of the pictures, from the first on, can be run together: neighbours of one size, up to `batch`.
std::size_t together(std::span<const cbir_net_picture> pictures, std::int64_t batch) {
  const auto limit = std::min(pictures.size(), static_cast<std::size_t>(batch));
  std::size_t count = 1;
  while (count < limit && pictures[count].width == pictures[0].width && pictures[count].height == pictures[0].height)
    ++count;
  return count;
}

nets::WorkingCopies<nets::Runner>::Lease take_runner(const cbir_net* net) {
  return net->runners.take([&] { return net->model->make_runner(); });
}

int create(const cbir_net_source* source, cbir_net** net, char* message, std::size_t message_size) {
  return nets::run_guarded(message, message_size, [&] {
    auto made = std::make_unique<cbir_net>();
    made->settings = nets::parse_settings(*source);
    if (made->settings.device.is_cuda()) nets::forbid_tf32();
    nets::Parameters parameters(source->tensors, source->tensor_count);
    made->model = nets::make_model(made->settings, parameters);
    made->traits = traits_on(made->settings.device, made->model->traits());
    nets::check_input(made->settings, made->traits);
    made->runners.add(made->model->make_runner());
    *net = made.release();
  });
}

void describe(const cbir_net* net, cbir_net_info* info) {
  const nets::Settings& settings = net->settings;
  info->dim = static_cast<std::uint32_t>(settings.dimension);
  info->width = info->height = net->traits.any_size ? 0 : static_cast<std::uint32_t>(settings.size);
  info->independent = net->traits.batch == 1 ? 1 : 0;
  info->context = static_cast<std::uint32_t>(net->traits.context);
  info->vocabulary = static_cast<std::uint32_t>(net->traits.vocabulary);
  info->precision = settings.precision == nets::Precision::bfloat16 ? "bfloat16" : "float32";
  info->device = settings.device.is_cuda() ? "cuda" : "cpu";
}

int encode(const cbir_net* net, const cbir_net_picture* pictures, std::size_t count, float* out, char* message,
           std::size_t message_size) {
  return nets::run_guarded(message, message_size, [&] {
    const auto runner = take_runner(net);
    const auto dim = static_cast<std::size_t>(net->settings.dimension);
    for (std::span rest(pictures, count); !rest.empty();) {
      const std::span part = rest.first(together(rest, net->traits.batch));
      const at::Tensor input = nets::normalised(part, net->settings).to(net->settings.device);
      nets::copy_rows(nets::embed(*runner, input, net->settings), part.size(), dim, out);
      out += part.size() * dim;
      rest = rest.subspan(part.size());
    }
  });
}

int encode_text(const cbir_net* net, const std::int32_t* tokens, std::size_t count, float* out, char* message,
                std::size_t message_size) {
  return nets::run_guarded(message, message_size, [&] {
    const auto runner = take_runner(net);
    const auto batch = static_cast<std::size_t>(net->traits.batch),
               dim = static_cast<std::size_t>(net->settings.dimension),
               context = static_cast<std::size_t>(net->traits.context);
    for (std::size_t i = 0; i < count; i += batch) {
      const std::size_t rows = std::min(batch, count - i);
      const at::Tensor ids = at::empty({static_cast<std::int64_t>(rows), net->traits.context}, at::kLong);
      std::copy_n(tokens + i * context, rows * context, ids.data_ptr<std::int64_t>());
      nets::copy_rows(runner->run_text(ids.to(net->settings.device)), rows, dim, out + i * dim);
    }
  });
}

void destroy(cbir_net* net) { delete net; }

constexpr cbir_net_api kApi = {CBIR_NET_ABI, create, describe, encode, encode_text, destroy};

}  // namespace

extern "C" __attribute__((visibility("default"))) const cbir_net_api* cbir_net_plugin(void) {
  nets::keep_freed_memory();
  return &kApi;
}
