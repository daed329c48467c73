// A JPEG decoder with holes, for tests: a library to be preloaded (LD_PRELOAD) that stands before libjpeg. What a file
// with "misbehave:HOW" in it does to it, from jpeg_read_header() on:
//
//   crash     writes to address 0
//   exit      ends the process with status 3
//   hang      waits for ever
//   swallow   takes memory until there is none, and then reports that
//   killed    SIGKILL, as of a system without memory
//   once      the same, but only if the file that MISBEHAVE_ONCE names is not there yet, which it makes
//
// Built without libjpeg, of which it calls what the program has loaded.

#include <dlfcn.h>
#include <fcntl.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
//
#include <jerror.h>
#include <jpeglib.h>

namespace {

[[noreturn]] void swallow(j_decompress_ptr info) {
  constexpr std::size_t kBlock = 16 << 20;
  while (void* const block = std::malloc(kBlock)) std::memset(block, 1, kBlock);
  info->err->msg_code = JERR_OUT_OF_MEMORY;
  info->err->error_exit(reinterpret_cast<j_common_ptr>(info));
  std::abort();
}

void die_once() {
  const int fd = open(std::getenv("MISBEHAVE_ONCE"), O_WRONLY | O_CREAT | O_EXCL, 0666);
  if (fd >= 0) raise(SIGKILL);
}

void obey(j_decompress_ptr info) {
  constexpr char kMark[] = "misbehave:";
  const auto* const found =
      static_cast<const char*>(memmem(info->src->next_input_byte, info->src->bytes_in_buffer, kMark, sizeof kMark - 1));
  if (!found) return;
  const char* const how = found + sizeof kMark - 1;
  const auto is = [how](const char* word) { return std::strncmp(how, word, std::strlen(word)) == 0; };
  if (is("crash")) *static_cast<volatile int*>(nullptr) = 1;
  if (is("exit")) _exit(3);
  while (is("hang")) pause();
  if (is("swallow")) swallow(info);
  if (is("killed")) raise(SIGKILL);
  if (is("once")) die_once();
}

}  // namespace

extern "C" int jpeg_read_header(j_decompress_ptr info, boolean require_image) {
  obey(info);
  static const auto real = reinterpret_cast<int (*)(j_decompress_ptr, boolean)>(dlsym(RTLD_NEXT, "jpeg_read_header"));
  return real(info, require_image);
}
