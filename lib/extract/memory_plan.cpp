#include "memory_plan.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <new>
#include <random>

#include <cbir/base/boundary.hpp>
#include <cbir/base/error.hpp>
#include <cbir/base/log.hpp>
#include <cbir/base/text.hpp>

namespace cbir {
namespace {

constexpr std::uint64_t kMiB = 1 << 20;
/// A process that decodes, with what it keeps between pictures, and what else a thread has.
constexpr std::uint64_t kThread = 40 * kMiB;
/// What must be left for pictures: one of some ten million pixels.
constexpr std::uint64_t kLeastPictures = 48 * kMiB;
/// Never to be planned with: tables, files that are being read and written, the rest of the program.
constexpr std::uint64_t kReserve = 32 * kMiB;
/// LibTorch and what belongs to it.
constexpr std::uint64_t kLibraries = 128 * kMiB;
/// More than any network takes for a picture: with so much a thread there is nothing to be tried out.
constexpr std::uint64_t kPlenty = 4096 * kMiB;
constexpr std::uint64_t kPlentyForNetwork = 2048 * kMiB;
/// Detectors make pictures of this size or a smaller one of what they look at.
constexpr int kDetectorSide = 1280;

/// A picture without features, of the preset's input size.
Image blank(const Preprocessing& input) {
  const int side = input.crop_mode == Crop::none ? input.resize : input.crop;
  Image out(side, side);
  std::ranges::fill(out.data, std::uint8_t{128});
  return out;
}

/// What it takes at its peak. The first time is looked at: what it has taken, a second one on the same thread would
/// find in the heap, but one on another thread would not.
std::uint64_t measure(const std::function<void()>& trial) {
  const std::uint64_t before = resident_memory();
  const bool exact = forget_peak_memory();
  trial();
  if (!exact) return resident_memory();  // of which it is a part
  const std::uint64_t peak = peak_resident_memory();
  return peak - std::min(peak, before);
}

void encode_blank(const Encoder& encoder) {
  const std::vector<Image> pictures = {blank(encoder.preset().preprocessing)};
  std::vector<float> vector(encoder.dim());
  try {
    encoder.encode(pictures, {vector.data(), 1, encoder.dim()});
  } catch (const DamagedFile&) {  // this picture may have no direction, or be no number
  }
}

/// Does what takes an unknown amount of memory. Where that might be more than there is, an allocation fails instead of
/// the system ending somebody.
template <typename Body>
auto within(const AvailableMemory& available, const std::string& what, Body body) {
  const MemoryCap cap(available.bytes - std::min(available.bytes, kReserve));
  std::string why = kNoMemory;
  try {
    return body();
  } catch (const Error& error) {
    // Libraries call it by many names.
    if (error.code() != ExitCode::resource && error.code() != ExitCode::internal) throw;
    why = error.what();
  } catch (const std::bad_alloc&) {
  }
  throw ResourceLimit(
      fmt::format("{} takes more memory than the {} that are left of {} ({}); give it more, or choose what takes less",
                  what, human_bytes(available.bytes), available.bound, why));
}

[[noreturn]] void too_little(const std::string& what, std::uint64_t needed, const AvailableMemory& available) {
  throw ResourceLimit(
      fmt::format("{} takes about {} of memory, and {} are left of {}; give it more, or choose what takes less", what,
                  human_bytes(needed), human_bytes(available.bytes), available.bound));
}

}  // namespace

MemoryPlan plan_memory(const AvailableMemory& available, std::size_t threads, std::uint64_t thread,
                       const std::string& what) {
  const std::uint64_t usable = available.bytes - std::min(available.bytes, kReserve);
  const std::uint64_t each = thread + kThread;
  if (usable < each + kLeastPictures)
    too_little(what + ", one picture at a time,", each + kLeastPictures + kReserve, available);
  // Half for pictures, if that takes no more than threads: a large one must not fail for the sake of speed.
  const std::uint64_t for_threads = usable - std::max(kLeastPictures, usable / 2);
  const std::uint64_t fit = std::clamp<std::uint64_t>(for_threads / each, 1, threads);
  return {.threads = static_cast<std::size_t>(fit), .pictures = usable - fit * each};
}

MemoryPlan plan_memory(const ThreadWork& work, std::size_t threads) {
  const auto available = available_memory();
  if (!available) return {.threads = threads};
  const bool plenty = available->bytes / threads >= kPlenty;
  const std::uint64_t network = !work.trial ? 0
                                : plenty    ? kPlentyForNetwork
                                            : within(*available, work.what, [&] { return measure(work.trial); });
  // What was made for good in the trial is not left any more.
  const MemoryPlan plan = plan_memory(plenty ? *available : available_memory().value_or(*available), threads,
                                      network + work.inputs, work.what);
  if (!plenty)
    log(LogLevel::debug, fmt::format("{} are left of {}; {} takes {} for a picture: {} of {}, and {} for pixels",
                                     human_bytes(available->bytes), available->bound, work.what, human_bytes(network),
                                     plan.threads, counted(threads, "thread"), human_bytes(plan.pictures)));
  return plan;
}

MemoryPlan plan_memory(const Encoder& encoder, const Detector* detector, const ExtractOptions& options,
                       std::size_t threads) {
  const Preprocessing& input = encoder.preset().preprocessing;
  const auto side = static_cast<std::uint64_t>(input.crop_mode == Crop::none ? input.resize : input.crop);
  ThreadWork work{.what = fmt::format("encoding by '{}'", encoder.preset().name),
                  .trial = {},
                  .inputs = options.batch * (side * side * 3 + encoder.dim() * 2 * sizeof(float))};
  if (encoder.device() == "cpu")
    work.trial = [&] {
      if (detector) detector->detect(busy_picture(kDetectorSide));
      encode_blank(encoder);
    };
  return plan_memory(work, threads);
}

Image busy_picture(int side) {
  Image out(side, side);
  std::minstd_rand random;
  std::ranges::generate(out.data, [&] { return static_cast<std::uint8_t>(random() >> 16); });
  return out;
}

std::unique_ptr<Encoder> open_within_memory(const EncoderChoice& choice) {
  const auto available = available_memory();
  if (!available || choice.options.device != "cpu") return choice.open();
  const std::string what = fmt::format("loading encoder '{}'", choice.preset.name);
  if (available->bytes < kLibraries) too_little(what, kLibraries, *available);
  // What of the weights is used, and how often it is copied into another order, the network alone knows.
  constexpr std::uint64_t kCopies = 4;
  if ((available->bytes - kLibraries) / kCopies >= choice.weights_bytes) return choice.open();
  return within(*available, what, choice.open);
}

void within_memory(const std::string& what, const std::function<void()>& body) {
  const auto available = available_memory();
  if (!available || available->bytes >= kPlenty) return body();
  within(*available, what, body);
}

}  // namespace cbir
