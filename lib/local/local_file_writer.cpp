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

template <typename T>
void append(std::string& out, const T* items, std::size_t count) {
  out += as_text(std::as_bytes(std::span(items, count)));
}

[[noreturn]] void refuse(const LocalKind& kind, const std::string& what) {
  throw UsageError(fmt::format("features of kind {} cannot be kept: {}", kind.name, what));
}

void check(const LocalKind& kind, std::string_view name, const LocalFeatures& features) {
  const std::size_t numbers = features.size() * kind.dim;
  if (features.size() > UINT32_MAX || name.size() > UINT32_MAX) refuse(kind, "there are too many");
  if ((kind.binary ? features.bits.size() : features.descriptors.size()) != numbers)
    refuse(kind, fmt::format("{} descriptors of {} numbers were expected", features.size(), kind.dim));
  const auto finite = [](float x) { return std::isfinite(x); };
  for (const Keypoint& point : features.keypoints)
    if (!finite(point.x) || !finite(point.y) || !finite(point.size) || !finite(point.angle) || !finite(point.score))
      refuse(kind, "a keypoint holds what is no number");
  constexpr float kLargestHalf = 65504;
  const auto fits = [](float x) { return std::abs(x) <= kLargestHalf; };  // false of NaN
  if (!std::ranges::all_of(features.descriptors, fits)) refuse(kind, "a descriptor holds what is no half number");
}

void append_descriptors(std::string& out, const LocalKind& kind, const LocalFeatures& features) {
  switch (storage_of(kind)) {
    case Storage::bits:
      append(out, features.bits.data(), features.bits.size());
      break;
    case Storage::half:
      for (const float x : features.descriptors) {
        const std::uint16_t half = float_to_half(x);
        append(out, &half, 1);
      }
      break;
    case Storage::bytes:
      for (const float x : features.descriptors) {
        if (x < 0 || x > 255 || x != std::floor(x)) refuse(kind, "a descriptor holds what is no whole number to 255");
        out += static_cast<char>(static_cast<std::uint8_t>(x));
      }
  }
}

template <std::size_t kSize>
std::array<char, kSize> padded(std::string_view text, const std::string& what) {
  if (text.size() > kSize) throw UsageError(fmt::format("'{}' is too long for {}", display_path(text), what));
  std::array<char, kSize> out{};
  std::ranges::copy(text, out.begin());
  return out;
}

Xxh3 digest_of(const std::string& hex) {
  Xxh3 out{};
  for (std::size_t i = 0; i < out.size() && hex.size() == 2 * out.size(); ++i)
    out[i] = static_cast<std::uint8_t>(std::stoul(hex.substr(2 * i, 2), nullptr, 16));
  return out;
}

}  // namespace

std::string local_path(const std::string& name) {
  if (name.ends_with(".local")) return name;
  for (const std::string_view ending : {".json", ".npy", ".cbir"})
    if (name.ends_with(ending)) return name.substr(0, name.size() - ending.size()) + ".local";
  return name + ".local";
}

std::string local_record(const LocalKind& kind, const LocalSource& source, const LocalFeatures& features) {
  check(kind, source.name, features);
  RecordHead head{.count = static_cast<std::uint32_t>(features.size()),
                  .width = static_cast<std::uint32_t>(features.width),
                  .height = static_cast<std::uint32_t>(features.height),
                  .scale = features.scale,
                  .name_length = static_cast<std::uint32_t>(source.name.size()),
                  .box = source.box,
                  .picture = source.picture};
  std::string out;
  const std::uint64_t length = record_length(head, storage_of(kind), kind.dim);
  out.reserve(length);
  append(out, &head, 1);
  append(out, features.keypoints.data(), features.keypoints.size());
  append_descriptors(out, kind, features);
  out += source.name;
  out.resize(length);
  head.xxh3 = xxh3_64(as_bytes(out).subspan(sizeof head.xxh3));
  std::memcpy(out.data(), &head.xxh3, sizeof head.xxh3);
  return out;
}

std::size_t sound_record(Bytes bytes, const LocalKind& kind, const LocalSource& source) {
  RecordHead head;
  if (bytes.size() < sizeof head) return 0;
  std::memcpy(&head, bytes.data(), sizeof head);
  const std::uint64_t length = record_length(head, storage_of(kind), kind.dim);
  if (length > bytes.size() || xxh3_64(bytes.first(length).subspan(sizeof head.xxh3)) != head.xxh3) return 0;
  return source_of(bytes.first(length), kind) == source ? length : 0;
}

LocalFrame frame_local_records(Bytes records, const LocalFileInfo& info, const std::string& name) {
  const Storage storage = storage_of(info.kind);
  Head head{.index = records.size(),
            .dim = static_cast<std::uint32_t>(info.kind.dim),
            .storage = storage,
            .wanted = static_cast<std::uint32_t>(info.keypoints),
            .max_side = static_cast<std::uint32_t>(info.max_side),
            .kind = padded<32>(info.kind.name, "the name of features"),
            .fingerprint = padded<64>(info.kind.fingerprint, "a fingerprint"),
            .rows_xxh3 = digest_of(info.rows_xxh3)};
  std::ranges::copy(kMagic, head.magic.begin());
  std::vector<std::uint64_t> offsets;
  std::vector<NameEntry> names;
  for (std::size_t at = kLocalHead; at < records.size();) {
    RecordHead record;
    const std::size_t left = records.size() - at;
    if (left >= sizeof record) std::memcpy(&record, records.data() + at, sizeof record);
    const std::uint64_t length = left >= sizeof record ? record_length(record, storage, info.kind.dim) : UINT64_MAX;
    if (length > left) throw DamagedFile(fmt::format("{}: the record at {} is cut short", display_path(name), at));
    const std::size_t each = sizeof(Keypoint) + descriptor_bytes(storage, info.kind.dim);
    const Bytes named = records.subspan(at + sizeof record + record.count * each, record.name_length);
    names.push_back({xxh3_64(named), offsets.size()});
    offsets.push_back(at);
    head.keypoints += record.count;
    at += length;
  }
  std::ranges::sort(names);
  LocalFrame frame;
  append(frame.tail, offsets.data(), offsets.size());
  append(frame.tail, names.data(), names.size());
  head.pictures = offsets.size();
  head.length = records.size() + frame.tail.size();
  head.index_xxh3 = xxh3(as_bytes(frame.tail));
  head.own_xxh3 = xxh3(std::as_bytes(std::span(&head, 1)).first(offsetof(Head, own_xxh3)));
  append(frame.head, &head, 1);
  return frame;
}

LocalFileWriter::LocalFileWriter(const std::string& path, LocalFileInfo info, bool overwrite)
    : out_(path, overwrite), path_(path), info_(std::move(info)) {
  out_.write(std::string(kLocalHead, '\0'));
}

void LocalFileWriter::add(const LocalSource& source, const LocalFeatures& features) {
  out_.write(local_record(info_.kind, source, features));
}

void LocalFileWriter::commit() {
  const LocalFrame frame = frame_local_records(out_.written().bytes(), info_, path_);
  out_.write(frame.tail);
  out_.write_at(0, as_bytes(frame.head));
  out_.commit();
}

}  // namespace cbir
