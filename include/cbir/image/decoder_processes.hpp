#pragma once
/// Decoding in processes of their own, so that a decoder that crashes, hangs or swallows memory over a picture costs
/// that picture and nothing else. DecodeOptions::decoders sends decode_image() there.

#include <chrono>
#include <memory>
#include <string>
#include <string_view>

#include <cbir/base/worker.hpp>
#include <cbir/image/image.hpp>

namespace cbir {

/// What a decoder may take for a picture of so many pixels: several times what the greediest format needs for a sound
/// one, and some megabytes for the rest of its file.
std::uint64_t decoder_memory(std::uint64_t pixels);

/// The reason of a failure that is the machine's: other pictures, or other programs, took the memory.
inline constexpr const char* kDecoderKilled =
    "the decoder was killed (signal 9), as the system does when memory runs out";

class DecoderProcesses {
 public:
  /// What is to become of a picture before it leaves its process, so that fewer pixels need to be copied; `how` is what
  /// decode() was given. Throws ImageError.
  using Finish = Image (*)(const Image& picture, std::string_view how);

  /// `time` is what a picture may take. To be made before the process has threads. Throws ResourceLimit if there can be
  /// no further process.
  explicit DecoderProcesses(std::chrono::seconds time, Finish finish = nullptr);

  /// As decode_image() in the calling process; but memory that does not suffice is an ImageError, and so are the ends
  /// that a decoder may come to: "the decoder crashed (signal 11, SIGSEGV)". Thread-safe.
  Image decode(Bytes file, const DecodeOptions& options) const;

  struct Size {
    int width = 0, height = 0;
  };
  bool finishes() const noexcept { return finishes_; }
  /// Decodes and, if finishes(), finishes into `out`, whose memory is used again. Returns how large the whole picture
  /// is, upright.
  Size decode(Bytes file, const DecodeOptions& options, std::string_view how, Image& out) const;

  /// The most memory that the processes have held.
  std::uint64_t peak_memory() const { return processes_.peak_memory(); }

 private:
  Size ask(Bytes file, const DecodeOptions& options, const std::string_view* how, Image& out) const;

  std::chrono::seconds time_;
  bool finishes_;
  WorkerProcesses processes_;
};

/// Processes that decode, each picture within `time`. To be made before there are threads. Null, with a warning, where
/// the size of files is limited (RLIMIT_FSIZE), which shared memory is subject to.
std::unique_ptr<DecoderProcesses> make_decoders(std::chrono::seconds time, DecoderProcesses::Finish finish = nullptr);

}  // namespace cbir
