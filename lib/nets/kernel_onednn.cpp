// oneDNN, with what makes it fast: weights packed once in the layout of its kernels, one primitive a shape, activation
// and residual as post-operations. Written for oneDNN 2.6 and later; the few calls that version 3 changed are in
// `describe` and `append`.

#include <ATen/Functions.h>

#include <algorithm>
#include <oneapi/dnnl/dnnl.hpp>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "kernel.hpp"
#include "weight_memory.hpp"

namespace cbir::nets {
namespace {

using dnnl::algorithm;
using dnnl::memory;
using Tag = memory::format_tag;

const dnnl::engine& cpu() {
  static const dnnl::engine engine(dnnl::engine::kind::cpu, 0);
  return engine;
}

dnnl::stream& stream() {
  thread_local dnnl::stream of_this_thread(cpu());
  return of_this_thread;
}

bool cpu_has(dnnl::cpu_isa wanted) {
  const auto bits = static_cast<unsigned>(wanted);
  return (static_cast<unsigned>(dnnl::get_effective_cpu_isa()) & bits) == bits;
}

memory::data_type data_type(Precision precision) {
  return precision == Precision::bfloat16 ? memory::data_type::bf16 : memory::data_type::f32;
}

void append(dnnl::post_ops& ops, algorithm function, float alpha, float beta) {
#if DNNL_VERSION_MAJOR >= 3
  ops.append_eltwise(function, alpha, beta);
#else
  ops.append_eltwise(1, function, alpha, beta);
#endif
}

/// In this order unless `residual_last`: residual, activation.
dnnl::primitive_attr attributes(Activation activation, bool residual, bool residual_last) {
  dnnl::post_ops ops;
  if (residual && !residual_last) ops.append_sum(1);
  switch (activation) {
    case Activation::none:
      break;
    case Activation::relu:
      append(ops, algorithm::eltwise_relu, 0, 0);
      break;
    case Activation::relu6:
      append(ops, algorithm::eltwise_clip, 0, 6);
      break;
    case Activation::hardswish:
      append(ops, algorithm::eltwise_hardswish, 1.0F / 6, 0.5F);
      break;
    case Activation::hardsigmoid:
      append(ops, algorithm::eltwise_linear, 1.0F / 6, 0.5F);
      append(ops, algorithm::eltwise_clip, 0, 1);
      break;
    case Activation::gelu:
      append(ops, algorithm::eltwise_gelu_erf, 0, 0);
      break;
    case Activation::quick_gelu:
      append(ops, algorithm::eltwise_swish, 1.702F, 0);
      break;
    case Activation::selu:
      append(ops, algorithm::eltwise_elu, 1.6732632F, 0);
      append(ops, algorithm::eltwise_linear, 1.0507010F, 0);
      break;
    case Activation::silu:
      append(ops, algorithm::eltwise_swish, 1, 0);
      break;
  }
  if (residual && residual_last) ops.append_sum(1);
  dnnl::primitive_attr out;
  out.set_post_ops(ops);
  // oneDNN's own scratchpad belongs to the thread that made the primitive; these wander.
  out.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  return out;
}

/// What one call looks like.
struct Shape {
  std::int64_t n, height, width;  ///< of the input; a matrix has n rows, height and width 1
  bool residual;
  bool operator==(const Shape&) const = default;

  /// One of several that follow one another in memory and together are this.
  Shape strip(std::int64_t strips) const {
    return strips == 1 ? *this : Shape{1, n * height / strips, width, residual};
  }
};

/// Reads memory into the second-level cache, in order: a residual that kernels visit in pieces, a block of channels at
/// a time, comes too late otherwise.
void fetch(const std::byte* data, std::size_t size) {
  constexpr std::size_t kLine = 64;
  constexpr int kForWriting = 1, kSecondLevel = 2;
  for (std::size_t i = 0; i < size; i += kLine) __builtin_prefetch(data + i, kForWriting, kSecondLevel);
}

/// A primitive and all that it needs, as oneDNN describes them.
struct Described {
  dnnl::primitive primitive;
  memory::desc source, weights, result, scratchpad;
  bool optimised = false;  ///< not oneDNN's reference implementation, which is hundreds of times slower

  template <typename PrimitiveDesc>
  static Described from(const PrimitiveDesc& desc, dnnl::primitive primitive) {
    return {std::move(primitive), desc.src_desc(),        desc.weights_desc(),
            desc.dst_desc(),      desc.scratchpad_desc(), !std::string_view(desc.impl_info_str()).starts_with("ref")};
  }
};

/// The convolution of a ConvSpec, for any shape of input.
class ConvLayer {
 public:
  static constexpr at::MemoryFormat kFormat = at::MemoryFormat::ChannelsLast;

  ConvLayer(const ConvSpec& spec, Precision precision)
      : spec_(spec), type_(data_type(precision)), weight_dims_(spec.weight.sizes().vec()) {
    spec_.weight.reset();  // packed elsewhere
    spec_.bias.reset();
  }

  std::int64_t out() const { return weight_dims_[0]; }
  memory::desc bias() const { return {{out()}, memory::data_type::f32, Tag::x}; }

  /// A shape typical of the layer, before any is known.
  Shape typical() const {
    const std::int64_t size = std::max<std::int64_t>(28, 4 * std::max(weight_dims_[2], weight_dims_[3]));
    return {1, size, size, false};
  }

  /// Into how many strips of rows a result of so many bytes is cut so that each stays in the second-level cache.
  std::int64_t strips(const Shape& s, std::int64_t bytes) const {
    constexpr std::int64_t kStrip = 1 << 19;
    const bool cuts = weight_dims_[2] == 1 && weight_dims_[3] == 1 && spec_.stride == 1 && spec_.padding == Padding{};
    const std::int64_t rows = s.n * s.height;
    if (!cuts || bytes <= 2 * kStrip) return 1;
    std::int64_t strips = (bytes + kStrip - 1) / kStrip;
    while (strips < rows && rows % strips != 0) ++strips;
    return strips;
  }

  std::vector<std::int64_t> result_sizes(const at::Tensor& x) const { return result_sizes(shape(x, false)); }
  std::vector<std::int64_t> result_sizes(const Shape& s) const {
    const Padding pad = resolved(spec_, weight_dims_, s.height, s.width);
    return {s.n, out(), (s.height + pad.top + pad.bottom - weight_dims_[2]) / spec_.stride + 1,
            (s.width + pad.left + pad.right - weight_dims_[3]) / spec_.stride + 1};
  }

  /// `weights`: as they are packed, or `any_weights()`.
  Described describe(const Shape& s, const memory::desc& weights) const {
    const std::int64_t in = weight_dims_[1] * spec_.groups;
    const memory::desc source({s.n, in, s.height, s.width}, type_, Tag::nhwc);
    const memory::desc result(result_sizes(s), type_, Tag::nhwc);
    const Padding pad = resolved(spec_, weight_dims_, s.height, s.width);
    const memory::dims strides = {spec_.stride, spec_.stride}, before = {pad.top, pad.left},
                       after = {pad.bottom, pad.right};
    using dnnl::prop_kind;
    const auto attr = attributes(spec_.activation, s.residual, spec_.residual_last);
#if DNNL_VERSION_MAJOR >= 3
    const dnnl::convolution_forward::primitive_desc desc(cpu(), prop_kind::forward_inference,
                                                         algorithm::convolution_direct, source, weights, bias(), result,
                                                         strides, before, after, attr);
#else
    const dnnl::convolution_forward::primitive_desc desc({prop_kind::forward_inference, algorithm::convolution_direct,
                                                          source, weights, bias(), result, strides, before, after},
                                                         attr, cpu());
#endif
    return Described::from(desc, dnnl::convolution_forward(desc));
  }

  memory::desc any_weights() const { return {blocked_dims(), type_, Tag::any}; }
  /// As LibTorch has them.
  memory::desc plain_weights() const {
    return {blocked_dims(), memory::data_type::f32, spec_.groups > 1 ? Tag::goihw : Tag::oihw};
  }

  Shape shape(const at::Tensor& x, bool residual) const {
    const std::int64_t in = weight_dims_[1] * spec_.groups;
    TORCH_CHECK(x.dim() == 4 && x.size(1) == in, "a convolution of ", in, " channels was given ", x.sizes());
    return {x.size(0), x.size(2), x.size(3), residual};
  }
  at::Tensor dense(const at::Tensor& x) const { return x.contiguous(kFormat); }

 private:
  memory::dims blocked_dims() const {
    if (spec_.groups == 1) return weight_dims_;
    return {spec_.groups, weight_dims_[0] / spec_.groups, weight_dims_[1], weight_dims_[2], weight_dims_[3]};
  }

  ConvSpec spec_;
  memory::data_type type_;
  std::vector<std::int64_t> weight_dims_;
};

/// The product of matrices of a LinearSpec, for any number of rows.
class LinearLayer {
 public:
  static constexpr at::MemoryFormat kFormat = at::MemoryFormat::Contiguous;

  LinearLayer(const LinearSpec& spec, Precision precision)
      : activation_(spec.activation),
        type_(data_type(precision)),
        out_(spec.weight.size(0)),
        in_(spec.weight.size(1)) {}

  std::int64_t out() const { return out_; }
  memory::desc bias() const { return {{1, out_}, memory::data_type::f32, Tag::ab}; }
  Shape typical() const { return {64, 1, 1, false}; }

  Described describe(const Shape& s, const memory::desc& weights) const {
    const memory::desc source({s.n, in_}, type_, Tag::ab), result({s.n, out_}, type_, Tag::ab);
    const auto attr = attributes(activation_, s.residual, false);
#if DNNL_VERSION_MAJOR >= 3
    const dnnl::matmul::primitive_desc desc(cpu(), source, weights, bias(), result, attr);
#else
    const dnnl::matmul::primitive_desc desc({source, weights, bias(), result}, attr, cpu());
#endif
    return Described::from(desc, dnnl::matmul(desc));
  }

  memory::desc any_weights() const {
    if (cpu_has(dnnl::cpu_isa::avx512_core)) return {{in_, out_}, type_, Tag::any};
    // For less it would choose plain rows, too, which fall into the same few lines of the cache where a row is a
    // multiple of 2 KiB: half the speed.
    const std::int64_t row = out_ % 512 == 0 ? out_ + 16 : out_;
    return {{in_, out_}, type_, memory::dims{row, 1}};
  }
  memory::desc plain_weights() const { return {{in_, out_}, memory::data_type::f32, Tag::ba}; }

  Shape shape(const at::Tensor& x, bool residual) const {
    TORCH_CHECK(x.dim() > 0 && x.size(-1) == in_, "a linear layer of ", in_, " inputs was given ", x.sizes());
    return {x.numel() / in_, 1, 1, residual};
  }
  at::Tensor dense(const at::Tensor& x) const { return x.contiguous(); }
  std::int64_t strips(const Shape&, std::int64_t) const { return 1; }
  std::vector<std::int64_t> result_sizes(const at::Tensor& x) const {
    auto sizes = x.sizes().vec();
    sizes.back() = out_;
    return sizes;
  }

 private:
  Activation activation_;
  memory::data_type type_;
  std::int64_t out_, in_;
};

/// Weights, and what keeps their memory.
struct Packed {
  memory weights;
  std::shared_ptr<void> owner;
};

Packed reordered(const memory& from, const memory::desc& to) {
  Packed out;
  out.owner = weight_memory(to.get_size());
  out.weights = memory(to, cpu(), out.owner.get());
  memory source = from;  // a handle
  dnnl::reorder(source, out.weights).execute(stream(), source, out.weights);
  stream().wait();
  return out;
}

/// A layer with its weights. Clones share them: oneDNN only reads them.
template <typename Layer>
class OneDnn : public Kernel {
 public:
  OneDnn(Layer layer, Precision precision, const Described& typical, const at::Tensor& weight, const at::Tensor& bias)
      : layer_(std::move(layer)), type_(scalar_type(precision)) {
    const at::Tensor plain = weight.contiguous();
    packed_ = reordered(memory(layer_.plain_weights(), cpu(), plain.data_ptr()), typical.weights);
    bias_ = bias.defined() ? bias.contiguous() : at::zeros({layer_.out()});
  }

  at::Tensor run(const at::Tensor& x, const at::Tensor& residual) override {
    const at::Tensor source = layer_.dense(x.to(type_));
    const Shape whole = layer_.shape(source, residual.defined());
    at::Tensor result;
    if (residual.defined()) {
      result = layer_.dense(residual.to(type_));
      TORCH_CHECK(result.sizes() == layer_.result_sizes(source), "the residual is ", residual.sizes());
      // The sum is made in the residual's memory, which must not be read as input at the same time.
      if (result.data_ptr() == source.data_ptr()) result = result.clone();
    } else {
      result = at::empty(layer_.result_sizes(source), source.options(), Layer::kFormat);
    }
    if (result.numel() == 0) return result;
    const std::int64_t bytes = result.numel() * static_cast<std::int64_t>(result.element_size()),
                       strips = residual.defined() ? layer_.strips(whole, bytes) : 1;
    Plan& plan = find(whole.strip(strips));
    const at::Tensor scratch = at::empty({static_cast<std::int64_t>(plan.scratchpad_size)}, at::kByte);
    plan.arguments.at(DNNL_ARG_SCRATCHPAD).set_data_handle(scratch.data_ptr());
    auto* from = static_cast<std::byte*>(source.data_ptr());
    auto* to = static_cast<std::byte*>(result.data_ptr());
    for (std::int64_t i = 0; i < strips; ++i, from += plan.source_size, to += plan.result_size) {
      if (strips > 1) fetch(to, plan.result_size);
      plan.arguments.at(DNNL_ARG_SRC).set_data_handle(from);
      plan.arguments.at(DNNL_ARG_DST).set_data_handle(to);
      plan.primitive.execute(stream(), plan.arguments);
      stream().wait();
    }
    return result;
  }

  std::unique_ptr<Kernel> clone() const override {
    auto out = std::make_unique<OneDnn>(*this);
    out->plans_.clear();  // their memory objects hold the addresses of the running call
    return out;
  }

 private:
  struct Plan {
    Shape shape;
    std::shared_ptr<void> weights;
    dnnl::primitive primitive;
    std::unordered_map<int, memory> arguments;
    std::size_t source_size, result_size, scratchpad_size;  // bytes
  };

  /// The primitive for a shape; made when the shape comes for the first time, at some tens of microseconds and more.
  Plan& find(const Shape& shape) {
    for (Plan& plan : plans_)
      if (plan.shape == shape) return plan;
    if (plans_.size() == kPlans) plans_.erase(plans_.begin());
    plans_.push_back(make_plan(shape));
    return plans_.back();
  }

  Plan make_plan(const Shape& shape) const {
    const Described call = describe(shape);
    // Weights are packed alike for nearly all shapes of a layer; for the others there is another copy.
    const Packed packed =
        call.weights == packed_.weights.get_desc() ? packed_ : reordered(packed_.weights, call.weights);
    return {shape,
            packed.owner,
            call.primitive,
            {{DNNL_ARG_SRC, memory(call.source, cpu(), DNNL_MEMORY_NONE)},
             {DNNL_ARG_WEIGHTS, packed.weights},
             {DNNL_ARG_BIAS, memory(layer_.bias(), cpu(), bias_.data_ptr())},
             {DNNL_ARG_DST, memory(call.result, cpu(), DNNL_MEMORY_NONE)},
             {DNNL_ARG_SCRATCHPAD, memory(call.scratchpad, cpu(), DNNL_MEMORY_NONE)}},
            call.source.get_size(),
            call.result.get_size(),
            call.scratchpad.get_size()};
  }

  Described describe(const Shape& shape) const {
    try {
      Described call = layer_.describe(shape, packed_.weights.get_desc());
      if (call.optimised) return call;
    } catch (const dnnl::error&) {  // not with weights packed so
    }
    return layer_.describe(shape, layer_.any_weights());
  }

  static constexpr std::size_t kPlans = 16;  // shapes that are remembered
  Layer layer_;
  at::ScalarType type_;
  Packed packed_;
  at::Tensor bias_;  // oneDNN reads it in place
  std::vector<Plan> plans_;
};

template <typename Layer, typename Spec>
std::unique_ptr<Kernel> make(const Spec& spec, Precision precision) {
  const Layer layer(spec, precision);
  Described typical;
  try {
    typical = layer.describe(layer.typical(), layer.any_weights());
  } catch (const dnnl::error&) {
    return nullptr;
  }
  if (!typical.optimised) return nullptr;
  return std::make_unique<OneDnn<Layer>>(layer, precision, typical, spec.weight, spec.bias);
}

/// A layer whose activation LibTorch computes.
class ThenActivation : public Kernel {
 public:
  ThenActivation(std::unique_ptr<Kernel> layer, Activation activation)
      : layer_(std::move(layer)), activation_(activation) {}

  at::Tensor run(const at::Tensor& x, const at::Tensor& residual) override {
    constexpr std::int64_t kPart = 1 << 15;  // that stays in the cache from pass to pass
    const at::Tensor y = layer_->run(x, residual), all = y.view({-1});
    for (std::int64_t i = 0; i < all.numel(); i += kPart) {
      at::Tensor part = all.narrow(0, i, std::min(kPart, all.numel() - i));
      apply(activation_, part);
    }
    return y;
  }
  std::unique_ptr<Kernel> clone() const override {
    return std::make_unique<ThenActivation>(layer_->clone(), activation_);
  }

 private:
  std::unique_ptr<Kernel> layer_;
  Activation activation_;
};

}  // namespace

void multiply(const at::Tensor& a, const at::Tensor& b, const at::Tensor& c) {
  const std::int64_t m = c.size(0), n = c.size(1), k = a.size(1);
  const bool transposed = b.stride(1) != 1;
  TORCH_CHECK(a.size(0) == m && b.size(0) == k && b.size(1) == n, "a product of matrices that do not fit");
  TORCH_CHECK((a.stride(1) == 1 || k == 1) && c.stride(1) == 1 && (!transposed || b.stride(0) == 1 || k == 1),
              "a product of matrices in an order that is not known");
  if (m == 0 || n == 0) return;
  const auto distance = [](std::int64_t stride, std::int64_t size) { return std::max(stride, size); };
  const auto status =
      dnnl::sgemm('N', transposed ? 'T' : 'N', m, n, k, 1, a.data_ptr<float>(), distance(a.stride(0), k),
                  b.data_ptr<float>(), transposed ? distance(b.stride(1), k) : distance(b.stride(0), n), 0,
                  c.data_ptr<float>(), distance(c.stride(0), n));
  TORCH_CHECK(status == dnnl::status::success, "oneDNN cannot multiply matrices");
}

bool onednn_has_bf16() { return cpu_has(dnnl::cpu_isa::avx512_core_bf16); }

std::unique_ptr<Kernel> make_onednn(const ConvSpec& spec, Precision precision) {
  return make<ConvLayer>(spec, precision);
}

std::unique_ptr<Kernel> make_onednn(const LinearSpec& spec, Precision precision) {
  // Its products for AVX2 compute exponentials one by one.
  const bool slow = spec.activation == Activation::gelu || spec.activation == Activation::quick_gelu ||
                    spec.activation == Activation::selu;
  if (!slow || cpu_has(dnnl::cpu_isa::avx512_core)) return make<LinearLayer>(spec, precision);
  LinearSpec sum = spec;
  sum.activation = Activation::none;
  auto kernel = make<LinearLayer>(sum, precision);
  if (!kernel) return nullptr;
  return std::make_unique<ThenActivation>(std::move(kernel), spec.activation);
}

}  // namespace cbir::nets
