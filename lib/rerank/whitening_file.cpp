#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <span>
#include <string_view>

#include <cbir/base/error.hpp>
#include <cbir/base/file.hpp>
#include <cbir/base/hash.hpp>
#include <cbir/base/text.hpp>
#include <cbir/rerank/whitening.hpp>

#include "../store/json.hpp"

namespace cbir {
namespace {

using OrderedJson = nlohmann::ordered_json;

constexpr std::string_view kMagic =
    "\x89"
    "CBIRW\r\n";
constexpr std::uint32_t kVersion = 1;
constexpr std::size_t kDigestBytes = sizeof(Xxh3);
constexpr std::size_t kMaxDim = std::size_t{1} << 24;

#ifdef FUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION  // a fuzzer cannot make up a checksum; what comes after it is to be
                                                 // reached
constexpr bool kChecksums = false;
#else
constexpr bool kChecksums = true;
#endif

class HashedOutput {
 public:
  HashedOutput(const std::string& path, bool force) : file_(path, force) {}

  void write(Bytes data) {
    file_.write(data);
    hasher_.update(data);
  }
  template <typename T>
  void number(T value) {
    write(std::as_bytes(std::span(&value, 1)));
  }
  void commit() {
    const Xxh3 digest = hasher_.digest();
    file_.write(std::as_bytes(std::span(digest)));
    file_.commit();
  }

 private:
  OutputFile file_;
  Xxh3Hasher hasher_;
};

std::string description_of(const Whitening& whitening) {
  OrderedJson json;
  json["rows"] = whitening.rows;
  json["kept"] = whitening.kept;
  json["encoder"] = whitening.origin.encoder;
  json["fingerprint"] = whitening.origin.fingerprint;
  json["augmentation"] = whitening.origin.augmentation;
  return json.dump();
}

/// What follows the head, up to the checksum; throws what is wrong with the rest.
ByteReader checked(Bytes file, const std::string& path) {
  if (file.size() < kMagic.size() || as_text(file.first(kMagic.size())) != kMagic)
    throw Incompatible(fmt::format("{}: not a whitening, which cbir-index whiten writes", display_path(path)));
  if (file.size() < kMagic.size() + kDigestBytes)
    throw DamagedFile(fmt::format("{}: damaged whitening: cut short", display_path(path)));
  const Bytes content = file.first(file.size() - kDigestBytes);
  const Xxh3 digest = xxh3(content);
  if (kChecksums && !std::ranges::equal(std::as_bytes(std::span(digest)), file.last(kDigestBytes)))
    throw DamagedFile(
        fmt::format("{}: damaged whitening: its checksum does not fit; learn it again", display_path(path)));
  ByteReader reader(content, path);
  reader.take(kMagic.size(), "magic");
  if (const auto version = reader.read<std::uint32_t>("version"); version != kVersion)
    throw Incompatible(fmt::format("{}: a whitening of version {}; this program reads version {}", display_path(path),
                                   version, kVersion));
  return reader;
}

void read_description(std::string_view text, const std::string& path, Whitening& whitening) {
  const JsonFields<OrderedJson> fields(text, path + ": damaged whitening: its description");
  const auto string = [&](const char* key) { return fields.required(fields.text(key), key); };
  whitening.rows = fields.required(fields.count("rows"), "rows");
  whitening.kept = fields.required(fields.number("kept"), "kept");
  whitening.origin.encoder = string("encoder");
  whitening.origin.fingerprint = string("fingerprint");
  whitening.origin.augmentation = string("augmentation");
}

void read_floats(ByteReader& reader, std::span<float> out, const std::string& path) {
  std::ranges::copy(reader.take(out.size_bytes(), "numbers"), std::as_writable_bytes(out).begin());
  if (!std::ranges::all_of(out, [](float x) { return std::isfinite(x); }))
    throw DamagedFile(fmt::format("{}: damaged whitening: a number that is not finite", display_path(path)));
}

}  // namespace

void write_whitening(const Whitening& whitening, const std::string& path, bool force) {
  const Transform& transform = whitening.transform;
  const std::string description = description_of(whitening);
  HashedOutput out(path, force);
  out.write(as_bytes(kMagic));
  out.number(kVersion);
  out.number(static_cast<std::uint32_t>(description.size()));
  out.number(static_cast<std::uint32_t>(transform.dim()));
  out.number(static_cast<std::uint32_t>(transform.output_dim()));
  out.write(as_bytes(description));
  out.write(std::as_bytes(transform.mean()));
  for (std::size_t k = 0; k < transform.output_dim(); ++k) out.write(std::as_bytes(transform.projection()->row(k)));
  out.commit();
}

Whitening read_whitening(const std::string& path) {
  const MappedFile file(path);
  ByteReader reader = checked(file.bytes(), path);
  const auto description_bytes = reader.read<std::uint32_t>("length of the description");
  const auto dim = reader.read<std::uint32_t>("dimensions");
  const auto output_dim = reader.read<std::uint32_t>("dimensions of the result");
  const std::string_view description = as_text(reader.take(description_bytes, "description"));
  if (dim == 0 || dim > kMaxDim || output_dim == 0 || output_dim > dim ||
      reader.remaining() != (std::uint64_t{output_dim} + 1) * dim * sizeof(float))
    throw DamagedFile(fmt::format("{}: damaged whitening: {} bytes of numbers do not fit {} dimensions made {}",
                                  display_path(path), reader.remaining(), dim, output_dim));
  std::vector<float> mean(dim);
  read_floats(reader, mean, path);
  Vectors projection(output_dim, dim);
  for (std::size_t k = 0; k < output_dim; ++k) read_floats(reader, projection.row(k), path);
  Whitening whitening{.transform = Transform(std::move(mean), std::move(projection)), .origin = {}, .rows = 0};
  whitening.origin.name = path;
  read_description(description, path, whitening);
  return whitening;
}

}  // namespace cbir
