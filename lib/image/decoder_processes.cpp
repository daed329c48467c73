#include <cbir/image/decoder_processes.hpp>

#include <fmt/format.h>
#include <sys/resource.h>

#include <csignal>
#include <cstring>
#include <new>
#include <thread>
#include <type_traits>

#include <cbir/base/log.hpp>
#include <cbir/base/memory.hpp>
#include <cbir/base/text.hpp>

namespace cbir {
namespace {

/// What a request begins with; `how` follows.
struct Request {
  std::uint64_t max_pixels = 0;
  Alpha alpha = Alpha::white;
  bool accept_truncated = false;
  bool finish = false;
};

enum class Outcome : std::uint8_t { pixels, image_error, error };

/// What a reply begins with; of errors the message follows. The body are pixels.
struct Answer {
  Outcome outcome = Outcome::pixels;
  ExitCode code = ExitCode::ok;
  int width = 0, height = 0;  ///< of the pixels
  int whole_width = 0, whole_height = 0;
};

template <typename T>
std::string packed(const T& head, std::string_view rest = {}) {
  static_assert(std::is_trivially_copyable_v<T>);
  std::string out(sizeof head, '\0');
  std::memcpy(out.data(), &head, sizeof head);
  return out.append(rest);
}

template <typename T>
T unpacked(std::string_view message, std::string_view& rest) {
  T head;
  if (message.size() < sizeof head) throw Error(ExitCode::internal, "a message between processes is too short");
  std::memcpy(static_cast<void*>(&head), message.data(), sizeof head);
  rest = message.substr(sizeof head);
  return head;
}

WorkerReply failed(Outcome outcome, ExitCode code, std::string_view message) {
  return {.head = packed(Answer{.outcome = outcome, .code = code}, message), .body = {}};
}

WorkerReply decode_here(const Request& request, std::string_view how, Bytes file, DecoderProcesses::Finish finish) {
  const ImageProbe probe = probe_image(file);
  const std::uint64_t room =
      decoder_memory(static_cast<std::uint64_t>(probe.width) * static_cast<std::uint64_t>(probe.height));
  limit_further_memory(room);
  try {
    const DecodeOptions options{
        .alpha = request.alpha, .max_pixels = request.max_pixels, .accept_truncated = request.accept_truncated};
    Image image = decode_image(file, options);
    Answer answer{.whole_width = image.width, .whole_height = image.height};
    if (request.finish) image = finish(image, how);
    answer.width = image.width;
    answer.height = image.height;
    return {.head = packed(answer), .body = std::move(image.data)};
  } catch (const std::bad_alloc&) {
    limit_further_memory(room);  // a little of it, for the message
    throw ImageError(ExitCode::resource, fmt::format("decoding needs more than {} of memory", human_bytes(room)));
  }
}

/// In a process of its own.
WorkerReply answer(std::string_view head, Bytes file, DecoderProcesses::Finish finish) {
  std::string_view how;
  try {
    const auto request = unpacked<Request>(head, how);
    return decode_here(request, how, file, finish);
  } catch (const ImageError& error) {
    return failed(Outcome::image_error, error.code(), error.what());
  } catch (const Error& error) {
    return failed(Outcome::error, error.code(), error.what());
  } catch (const std::exception& error) {
    return failed(Outcome::image_error, ExitCode::damaged, error.what());
  }
}

ImageError failure_of(const WorkerEnd& end, std::chrono::seconds time) {
  switch (end.kind) {
    case WorkerEnd::Kind::overtime:
      return {ExitCode::resource, fmt::format("decoding took more than {} s", time.count())};
    case WorkerEnd::Kind::status:
      return {ExitCode::damaged, fmt::format("the decoder ended its process with status {}", end.number)};
    case WorkerEnd::Kind::signal:
      break;
  }
  if (end.number == SIGKILL) return {ExitCode::resource, kDecoderKilled};
  const char* const name = sigabbrev_np(end.number);
  return {ExitCode::damaged,
          fmt::format("the decoder crashed (signal {}{})", end.number, name ? fmt::format(", SIG{}", name) : "")};
}

}  // namespace

std::uint64_t decoder_memory(std::uint64_t pixels) {
  constexpr std::uint64_t kPixel = 32, kRest = 256 << 20, kThread = 4 << 20;  // libdav1d has threads, with their stacks
  const std::uint64_t rest = kRest + kThread * std::thread::hardware_concurrency();
  return pixels > (UINT64_MAX - rest) / kPixel ? UINT64_MAX : pixels * kPixel + rest;
}

DecoderProcesses::DecoderProcesses(std::chrono::seconds time, Finish finish)
    : time_(time),
      finishes_(finish != nullptr),
      processes_([finish](std::string_view head, Bytes file) { return answer(head, file, finish); }, time) {}

Image DecoderProcesses::decode(Bytes file, const DecodeOptions& options) const {
  Image out;
  ask(file, options, nullptr, out);
  return out;
}

DecoderProcesses::Size DecoderProcesses::decode(Bytes file, const DecodeOptions& options, std::string_view how,
                                                Image& out) const {
  return ask(file, options, &how, out);
}

DecoderProcesses::Size DecoderProcesses::ask(Bytes file, const DecodeOptions& options, const std::string_view* how,
                                             Image& out) const {
  const Request request{.max_pixels = options.max_pixels,
                        .alpha = options.alpha,
                        .accept_truncated = options.accept_truncated,
                        .finish = how && finishes_};
  Size size;
  const auto take = [&](std::string_view head, Bytes body) {
    std::string_view message;
    const auto answer = unpacked<Answer>(head, message);
    if (answer.outcome == Outcome::image_error) throw ImageError(answer.code, std::string(message));
    if (answer.outcome != Outcome::pixels) throw Error(answer.code, std::string(message));
    const std::uint64_t pixels = static_cast<std::uint64_t>(answer.width) * static_cast<std::uint64_t>(answer.height);
    if (answer.width < 0 || answer.height < 0 || pixels * 3 != body.size())
      throw Error(ExitCode::internal, "a decoder's pixels are not as many as it says");
    size = {answer.whole_width, answer.whole_height};
    out.width = answer.width;
    out.height = answer.height;
    const auto* const samples = reinterpret_cast<const std::uint8_t*>(body.data());
    out.data.assign(samples, samples + body.size());
  };
  try {
    processes_.call(packed(request, how ? *how : std::string_view()), file, take);
  } catch (const WorkerFailure& failure) {
    throw failure_of(failure.end(), time_);
  }
  return size;
}

std::unique_ptr<DecoderProcesses> make_decoders(std::chrono::seconds time, DecoderProcesses::Finish finish) {
  struct rlimit limit {};
  if (getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY) {
    log(LogLevel::warning,
        "the size of files is limited (ulimit -f), and so is memory that processes share: pictures are decoded in "
        "this one");
    return nullptr;
  }
  return std::make_unique<DecoderProcesses>(time, finish);
}

}  // namespace cbir
