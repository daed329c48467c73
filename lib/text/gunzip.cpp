#include "gunzip.hpp"

#include <fmt/format.h>
#include <libdeflate.h>

#include <memory>

#include <cbir/base/error.hpp>
#include <cbir/base/text.hpp>

namespace cbir::text {

std::string gunzip(Bytes data, const std::string& name, std::size_t max_bytes) {
  const auto damaged = [&](std::string_view found) {
    return DamagedFile(fmt::format("{}: {}; expected a whole gzip file", display_path(name), found));
  };
  const std::unique_ptr<libdeflate_decompressor, decltype(&libdeflate_free_decompressor)> unpacker(
      libdeflate_alloc_decompressor(), &libdeflate_free_decompressor);
  if (!unpacker) throw ResourceLimit("no memory to unpack " + display_path(name));
  const auto out = std::make_unique_for_overwrite<char[]>(max_bytes);
  std::size_t used = 0, written = 0;
  switch (
      libdeflate_gzip_decompress_ex(unpacker.get(), data.data(), data.size(), out.get(), max_bytes, &used, &written)) {
    case LIBDEFLATE_SUCCESS:
      break;
    case LIBDEFLATE_INSUFFICIENT_SPACE:
      throw damaged(fmt::format("unpacks to more than {}", human_bytes(max_bytes)));
    default:
      throw damaged("not gzip data, cut short, or changed");
  }
  if (used < data.size()) throw damaged(fmt::format("{} behind its end", counted(data.size() - used, "byte")));
  return {out.get(), written};
}

}  // namespace cbir::text
