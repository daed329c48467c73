#include <cbir/local/local_file.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include <cbir/base/error.hpp>
#include <cbir/base/half.hpp>
#include <cbir/base/text.hpp>

#include "local_layout.hpp"

namespace cbir {
namespace {

using namespace local_layout;

// By convention fuzz builds look at no checksum.
#ifdef FUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION
constexpr bool kChecksums = false;
#else
constexpr bool kChecksums = true;
#endif

constexpr std::size_t kMaxDim = 65536;

[[noreturn]] void damaged(const std::string& path, const std::string& what) {
  throw DamagedFile(fmt::format("{}: damaged features: {}; extract them again", display_path(path), what));
}

template <typename T>
T load(Bytes from, std::size_t offset) {
  T out;
  std::memcpy(&out, from.data() + offset, sizeof out);
  return out;
}

template <std::size_t kSize>
std::string text_of(const std::array<char, kSize>& padded) {
  const std::string_view text(padded.data(), kSize);
  return std::string(text.substr(0, text.find('\0')));
}

/// Checksums come first: what a changed bit says is not believed.
Head read_head(Bytes file, const std::string& path) {
  if (file.size() < sizeof(Head)) damaged(path, fmt::format("{} bytes are less than a head", file.size()));
  const auto head = load<Head>(file, 0);
  const bool magic = std::string_view(head.magic.data(), head.magic.size()) == kMagic;
  // With the true magic, so that a bit that changed there is damage, and not a file of another kind.
  Head meant = head;
  std::ranges::copy(kMagic, meant.magic.begin());
  const bool sound = head.own_xxh3 == xxh3(std::as_bytes(std::span(&meant, 1)).first(offsetof(Head, own_xxh3)));
  if (!magic && !sound)
    throw Incompatible(
        fmt::format("{}: no file of local features, as cbir-extract --local writes them", display_path(path)));
  if (!magic || (kChecksums && !sound)) damaged(path, "its head does not fit its checksum");
  if (head.byte_order != kByteOrder || head.major != kMajor)
    throw Incompatible(
        fmt::format("{}: features of version {}.{}, 1.0 can be read", display_path(path), head.major, head.minor));
  return head;
}

void check_layout(const Head& head, Bytes file, const std::string& path) {
  if (head.length != file.size())
    damaged(path, fmt::format("it has {} bytes, {} were written", file.size(), head.length));
  const bool fits = head.index >= kLocalHead && head.index <= file.size() &&
                    (file.size() - head.index) / kIndexEntry == head.pictures &&
                    (file.size() - head.index) % kIndexEntry == 0 && head.index % 8 == 0;
  if (!fits) damaged(path, "its index does not lie where it should");
  if (head.dim == 0 || head.dim > kMaxDim || head.storage > Storage::bits || head.max_side > INT32_MAX)
    damaged(path, "its head holds what no writer writes");
  if (kChecksums && xxh3(file.subspan(head.index)) != head.index_xxh3)
    damaged(path, "its index does not fit its checksum");
}

bool is_sound(const Keypoint& point) {
  return std::isfinite(point.x) && std::isfinite(point.y) && std::isfinite(point.size) && std::isfinite(point.angle) &&
         std::isfinite(point.score);
}

}  // namespace

LocalFile LocalFile::open(const std::string& path) {
  LocalFile out;
  out.file_ = MappedFile(path);
  const Bytes file = out.file_.bytes();
  const Head head = read_head(file, path);
  check_layout(head, file, path);
  out.info_ = {.kind = {.name = text_of(head.kind),
                        .fingerprint = text_of(head.fingerprint),
                        .dim = head.dim,
                        .binary = head.storage == Storage::bits},
               .keypoints = head.wanted,
               .max_side = static_cast<int>(head.max_side),
               .rows_xxh3 = head.rows_xxh3 == Xxh3{} ? "" : hex(head.rows_xxh3)};
  if (storage_of(out.info_.kind) != head.storage) damaged(path, "its head holds what no writer writes");
  out.digest_ = head.own_xxh3;
  out.pictures_ = head.pictures;
  out.keypoints_ = head.keypoints;
  out.index_ = head.index;
  return out;
}

Bytes LocalFile::record(std::size_t row) const {
  const Bytes file = file_.bytes();
  const auto wrong = [&](std::string_view what) { damaged(path(), fmt::format("record {}: {}", row, what)); };
  const auto begin = load<std::uint64_t>(file, index_ + row * sizeof(std::uint64_t));
  if (begin < kLocalHead || begin % 8 != 0 || begin > index_ || index_ - begin < sizeof(RecordHead))
    wrong("it does not lie where it should");
  const auto head = load<RecordHead>(file, begin);
  const std::uint64_t length = record_length(head, storage_of(info_.kind), info_.kind.dim);
  if (length > index_ - begin) wrong("it is cut short");
  const Bytes bytes = file.subspan(begin, length);
  if (kChecksums && xxh3_64(bytes.subspan(sizeof head.xxh3)) != head.xxh3) wrong("it does not fit its checksum");
  return bytes;
}

LocalFeatures LocalFile::features(std::size_t row) const {
  const Bytes bytes = record(row);
  const auto head = load<RecordHead>(bytes, 0);
  const auto wrong = [&](std::string_view what) { damaged(path(), fmt::format("record {}: {}", row, what)); };
  if (head.width > INT32_MAX || head.height > INT32_MAX || !(head.scale > 1e-6F && head.scale < 1e6F))
    wrong("its picture is of no size");
  LocalFeatures out{
      .width = static_cast<int>(head.width), .height = static_cast<int>(head.height), .scale = head.scale};
  out.keypoints.resize(head.count);
  if (head.count > 0) std::memcpy(out.keypoints.data(), bytes.data() + sizeof head, head.count * sizeof(Keypoint));
  if (!std::ranges::all_of(out.keypoints, is_sound)) wrong("a keypoint holds what is no number");
  const Storage storage = storage_of(info_.kind);
  const std::size_t numbers = head.count * info_.kind.dim;
  const Bytes from = bytes.subspan(sizeof head + head.count * sizeof(Keypoint),
                                   head.count * descriptor_bytes(storage, info_.kind.dim));
  if (storage == Storage::bits) {
    out.bits.resize(numbers);
    if (numbers > 0) std::memcpy(out.bits.data(), from.data(), numbers);
    return out;
  }
  out.descriptors.resize(numbers);
  if (storage == Storage::bytes) {
    for (std::size_t i = 0; i < numbers; ++i) out.descriptors[i] = static_cast<float>(std::to_integer<int>(from[i]));
  } else {
    for (std::size_t i = 0; i < numbers; ++i)
      out.descriptors[i] = half_to_float(load<std::uint16_t>(from, i * sizeof(std::uint16_t)));
  }
  return out;
}

LocalSource LocalFile::source(std::size_t row) const { return source_of(record(row), info_.kind); }

void LocalFile::each_name(const std::function<void(std::uint64_t, std::size_t)>& call) const {
  const std::uint64_t names = index_ + pictures_ * sizeof(std::uint64_t);
  for (std::size_t i = 0; i < pictures_; ++i) {
    const auto entry = load<NameEntry>(file_.bytes(), names + i * sizeof(NameEntry));
    if (entry.row >= pictures_) damaged(path(), "its index names a picture that is not there");
    call(entry.hash, static_cast<std::size_t>(entry.row));
  }
}

std::optional<std::size_t> LocalFile::find(std::string_view name) const {
  const std::uint64_t hash = xxh3_64(as_bytes(name));
  const std::uint64_t names = index_ + pictures_ * sizeof(std::uint64_t);
  const auto entry = [&](std::size_t i) { return load<NameEntry>(file_.bytes(), names + i * sizeof(NameEntry)); };
  std::size_t low = 0, high = pictures_;
  while (low < high) {
    const std::size_t middle = low + (high - low) / 2;
    if (entry(middle).hash < hash) low = middle + 1;
    else high = middle;
  }
  for (; low < pictures_ && entry(low).hash == hash; ++low) {
    const std::uint64_t row = entry(low).row;
    if (row >= pictures_) damaged(path(), "its index names a picture that is not there");
    if (source(row).name == name) return row;
  }
  return std::nullopt;
}

Bytes LocalFile::find_record(const LocalSource& source) const {
  if (source.picture == Xxh3{}) return {};
  const auto row = find(source.name);
  return row && this->source(*row) == source ? record(*row) : Bytes();
}

void LocalFile::verify() const {
  std::uint64_t at = kLocalHead, keypoints = 0;
  for (std::size_t row = 0; row < pictures_; ++row) {
    if (load<std::uint64_t>(file_.bytes(), index_ + row * sizeof at) != at)
      damaged(path(), fmt::format("record {}: it does not lie where it should", row));
    keypoints += features(row).size();
    at += record(row).size();
    if (find(source(row).name).value_or(pictures_) > row)
      damaged(path(), fmt::format("record {}: cannot be found", row));
  }
  if (at != index_ || keypoints != keypoints_) damaged(path(), "its records are not those of its head");
}

}  // namespace cbir
