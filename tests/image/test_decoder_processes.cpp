#include <cbir/image/decoder_processes.hpp>

#include <unistd.h>

#include <csignal>
#include <tests/catch.hpp>

#include "samples.hpp"

using namespace cbir;
using namespace std::chrono_literals;

namespace {

/// The upper left pixel; or bad behaviour.
Image corner(const Image& image, std::string_view how) {
  if (how == "crash") raise(SIGABRT);
  while (how == "hang") pause();
  if (how == "swallow") return Image(20'000, 20'000);
  if (how == "refuse") throw ImageError(ExitCode::resource, "not this one");
  return crop(image, PixelBox{0, 0, 1, 1});
}

}  // namespace

TEST_CASE("a process of its own decodes to the same pixels") {
  const DecoderProcesses decoders(60s);
  DecodeOptions elsewhere;
  elsewhere.decoders = &decoders;
  for (const Alpha alpha : {Alpha::white, Alpha::drop})
    for (const auto& [name, file] : samples::all()) {
      INFO(name);
      elsewhere.alpha = alpha;
      const Image here = decode_image(file, {.alpha = alpha}), there = decode_image(file, elsewhere);
      CHECK(here.width == there.width);
      CHECK(here.height == there.height);
      CHECK(here.data == there.data);
    }
}

TEST_CASE("what is wrong with a picture is said in the same words") {
  const DecoderProcesses decoders(60s);
  const auto message = [](Bytes file, const DecodeOptions& options) -> std::string {
    try {
      decode_image(file, options);
    } catch (const ImageError& error) {
      return std::to_string(static_cast<int>(error.code())) + error.what();
    }
    return "nothing";
  };
  for (const auto& [name, file] : samples::all()) {
    INFO(name);
    const Bytes half = Bytes(file).first(file.size() / 2);
    const DecodeOptions few{.max_pixels = 3};
    DecodeOptions elsewhere;
    elsewhere.decoders = &decoders;
    CHECK(message(half, {}) == message(half, elsewhere));
    elsewhere.max_pixels = 3;
    CHECK(message(file, few) == message(file, elsewhere));
    CHECK_THAT(message(file, elsewhere), ContainsSubstring("limit of 3"));
  }
  DecodeOptions elsewhere{.accept_truncated = true, .decoders = &decoders};
  const auto jpeg = encode_jpeg(samples::picture(100, 80), 90);
  const Bytes cut = Bytes(jpeg).first(jpeg.size() / 2);
  CHECK(decode_image(cut, elsewhere).data == decode_image(cut, {.accept_truncated = true}).data);
}

TEST_CASE("a picture is finished where it is decoded") {
  const DecoderProcesses decoders(60s, corner);
  REQUIRE(decoders.finishes());
  const Image image = samples::picture(30, 20);
  Image out(500, 500);
  const std::uint8_t* const memory = out.data.data();
  const auto size = decoders.decode(samples::bmp(image), {}, "", out);
  CHECK(size.width == 30);
  CHECK(size.height == 20);
  CHECK(out.width == 1);
  CHECK(out.data == std::vector(image.data.begin(), image.data.begin() + 3));
  CHECK(out.data.data() == memory);
}

TEST_CASE("a decoder that misbehaves costs its picture, and the reason is true") {
  const DecoderProcesses decoders(60s, corner), hasty(1s, corner);
  const samples::Buffer file = samples::bmp(samples::picture(30, 20));
  Image out;
  const auto decode = [&](const char* how) { decoders.decode(file, {}, how, out); };
  CHECK_THROWS_WITH(decode("crash"), "the decoder crashed (signal 6, SIGABRT)");
  CHECK_THROWS_WITH(hasty.decode(file, {}, "hang", out), "decoding took more than 1 s");
  CHECK_THROWS_WITH(decode("refuse"), "not this one");
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
  CHECK_THROWS_WITH(decode("swallow"), StartsWith("decoding needs more than 2"));
#endif
  CHECK_NOTHROW(decode(""));
}

TEST_CASE("a decoder may take more for a larger picture") {
  CHECK(decoder_memory(0) >= 64 << 20);
  CHECK(decoder_memory(100'000'000) >= 1'500'000'000);
  CHECK(decoder_memory(UINT64_MAX) == UINT64_MAX);
}
