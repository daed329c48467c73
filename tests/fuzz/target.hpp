#pragma once
/// What the fuzz targets share. A reader may throw cbir::Error of the kinds that a bad file deserves; any other
/// exception, and whatever the sanitizers find, ends the target as a crash.

#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <string>

#include <cbir/base/bytes.hpp>
#include <cbir/base/error.hpp>
#include <cbir/base/file.hpp>

namespace fuzz {

/// Runs `read`; bad files are expected, errors that blame anything else are not.
template <typename Read>
int expect_file_errors(Read&& read) {
  try {
    read();
  } catch (const cbir::Error& error) {
    const cbir::ExitCode code = error.code();
    if (code != cbir::ExitCode::damaged && code != cbir::ExitCode::incompatible && code != cbir::ExitCode::resource &&
        code != cbir::ExitCode::missing_input)
      throw;
  }
  return 0;
}

inline cbir::Bytes bytes(const std::uint8_t* data, std::size_t size) { return std::as_bytes(std::span(data, size)); }

/// Reads every byte, so that AddressSanitizer sees one that is not there.
inline void touch(cbir::Bytes data) {
  unsigned sum = 0;
  for (const std::byte b : data) sum += std::to_integer<unsigned>(b);
  asm volatile("" : : "r"(sum));  // so that the loop is not taken out
}

/// A file in memory with a path, for readers that map theirs.
class MemoryFile {
 public:
  explicit MemoryFile(cbir::Bytes content) : fd_(memfd_create("fuzz", MFD_CLOEXEC)) {
    if (!fd_) std::abort();
    cbir::write_all(fd_.get(), content, path());
  }
  std::string path() const { return "/proc/self/fd/" + std::to_string(fd_.get()); }

 private:
  cbir::Fd fd_;
};

}  // namespace fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);
