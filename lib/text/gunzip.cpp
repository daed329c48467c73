#include "gunzip.hpp"

#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>
#include <limits>

#include <cbir/base/error.hpp>
#include <cbir/base/text.hpp>

namespace cbir::text {
namespace {

constexpr int kGzipOnly = 16 + MAX_WBITS;
constexpr std::size_t kStep = 1 << 20;

/// An inflating stream that is released.
struct Inflater {
  Inflater() : ready(inflateInit2(&stream, kGzipOnly) == Z_OK) {}
  ~Inflater() {
    if (ready) inflateEnd(&stream);
  }
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;

  z_stream stream = {};
  bool ready;
};

}  // namespace

std::string gunzip(Bytes data, const std::string& name, std::size_t max_bytes) {
  const auto damaged = [&](std::string_view found) {
    return DamagedFile(fmt::format("{}: {}; expected a whole gzip file", display_path(name), found));
  };
  if (data.size() > std::numeric_limits<uInt>::max()) throw damaged("too large");
  Inflater inflater;
  if (!inflater.ready) throw ResourceLimit("no memory to unpack " + display_path(name));
  z_stream& stream = inflater.stream;
  stream.next_in = const_cast<Bytef*>(reinterpret_cast<const Bytef*>(data.data()));  // zlib does not write to it
  stream.avail_in = static_cast<uInt>(data.size());

  std::string out;
  for (int status = Z_OK; status != Z_STREAM_END;) {
    const std::size_t done = out.size();
    if (done == max_bytes) throw damaged(fmt::format("unpacks to more than {}", human_bytes(max_bytes)));
    out.resize(std::min(done + kStep, max_bytes));
    stream.next_out = reinterpret_cast<Bytef*>(out.data() + done);
    stream.avail_out = static_cast<uInt>(out.size() - done);
    status = inflate(&stream, Z_NO_FLUSH);
    out.resize(out.size() - stream.avail_out);
    if (status == Z_BUF_ERROR || (status == Z_OK && stream.avail_in == 0 && stream.avail_out > 0))
      throw damaged("ends too early");
    if (status != Z_OK && status != Z_STREAM_END) throw damaged(stream.msg ? stream.msg : "not gzip data");
  }
  if (stream.avail_in > 0) throw damaged(fmt::format("{} behind its end", counted(stream.avail_in, "byte")));
  return out;
}

}  // namespace cbir::text
