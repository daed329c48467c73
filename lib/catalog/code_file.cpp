#include "code_file.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <numeric>
#include <optional>
#include <string_view>
#include <utility>

#include <cbir/base/error.hpp>
#include <cbir/base/file.hpp>
#include <cbir/base/hash.hpp>
#include <cbir/base/parallel.hpp>
#include <cbir/base/text.hpp>

#include "files.hpp"

namespace cbir {
namespace {

// By convention fuzz builds look at no checksum.
#ifdef FUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION
constexpr bool kChecksums = false;
#else
constexpr bool kChecksums = true;
#endif

constexpr std::string_view kMagic{
    "\x89"
    "CBKC\r\n\x1a",
    8};
constexpr std::uint16_t kMajor = 1, kMinor = 0;
constexpr std::uint32_t kByteOrder = 0x01020304;
constexpr std::size_t kSample = 64;  // pictures whose descriptors tell what is usual

/// The head as it stands in the file.
struct Head {
  std::array<char, 8> magic = {};
  std::uint16_t major = kMajor, minor = kMinor;
  std::uint32_t byte_order = kByteOrder;
  std::uint64_t pictures = 0;
  std::uint64_t keypoints = 0;  ///< of all pictures
  std::uint64_t length = 0;     ///< of the file
  std::uint64_t sample = 0;     ///< descriptors that the mean is of
  std::uint32_t dim = 0;        ///< numbers of the mean
  std::uint32_t bits = kCodeBits;
  std::uint64_t zero = 0;
  Xxh3 features = {};  ///< LocalFile::digest()
  Xxh3 rest = {};      ///< of everything behind the head
  Xxh3 zeros = {};
  Xxh3 own = {};
};
static_assert(sizeof(Head) == 128);
static_assert(sizeof(CodedPicture) == 16 && sizeof(Spot) == 16 && sizeof(DescriptorCode) == 32);

[[noreturn]] void damaged(const std::string& path, std::string_view what) {
  throw DamagedFile(
      fmt::format("{}: damaged codes: {}; remove the file, the next change makes it again", display_path(path), what));
}

Xxh3 own_digest(const Head& head) { return xxh3(std::as_bytes(std::span(&head, 1)).first(offsetof(Head, own))); }

/// Checksums come first: what a changed bit says is not believed.
Head read_head(Bytes file, const std::string& path) {
  Head head;
  if (file.size() < sizeof head) damaged(path, fmt::format("{} bytes are less than a head", file.size()));
  std::memcpy(&head, file.data(), sizeof head);
  const bool magic = std::string_view(head.magic.data(), head.magic.size()) == kMagic;
  Head meant = head;  // with the true magic, so that a bit that changed there is damage
  std::ranges::copy(kMagic, meant.magic.begin());
  const bool sound = own_digest(meant) == head.own;
  if (!magic && !sound) throw Incompatible(fmt::format("{}: no file of a catalogue's codes", display_path(path)));
  if (!magic || (kChecksums && !sound)) damaged(path, "its head does not fit its checksum");
  if (head.byte_order != kByteOrder || head.major != kMajor || head.bits != kCodeBits)
    throw Incompatible(fmt::format("{}: codes of version {}.{} with {} bits, 1.0 with {} can be read",
                                   display_path(path), head.major, head.minor, head.bits, kCodeBits));
  return head;
}

/// Takes `count` items from the front of the bytes, of which there are enough.
template <typename T>
std::span<const T> take(Bytes& bytes, std::size_t count) {
  const Bytes taken = bytes.first(count * sizeof(T));
  bytes = bytes.subspan(taken.size());
  return {reinterpret_cast<const T*>(taken.data()), count};
}

bool is_sound(const Spot& spot) {
  return std::isfinite(spot.x) && std::isfinite(spot.y) && std::isfinite(spot.size) && std::isfinite(spot.angle);
}

/// Codes as they are stored, or nothing where there are none that can be used.
std::optional<KeypointCodes> sound_codes(const LocalFile& features) {
  try {
    KeypointCodes codes = KeypointCodes::open(code_file(features.path()), features);
    if (!codes.empty()) return codes;
  } catch (const DamagedFile&) {  // made again
  }
  return std::nullopt;
}

}  // namespace

void KeypointCodes::map(const std::string& path, const LocalFile& features) {
  file_ = MappedFile(path);
  const Head head = read_head(file_.bytes(), path);
  if (head.length != file_.bytes().size())
    damaged(path, fmt::format("it has {} bytes, {} were written", file_.bytes().size(), head.length));
  if (kChecksums && head.features != features.digest()) return;
  Bytes rest = file_.bytes().subspan(sizeof head);
  if (kChecksums && xxh3(rest) != head.rest) damaged(path, "it does not fit its checksum");
  constexpr std::uint64_t kMost = std::uint64_t{1} << 48;  // so that no sum is too large
  const LocalKind& kind = features.info().kind;
  const bool fits = head.pictures < kMost && head.keypoints < kMost && head.dim == (kind.binary ? 0 : kind.dim) &&
                    rest.size() == head.pictures * sizeof(CodedPicture) + head.dim * sizeof(float) +
                                       head.keypoints * (sizeof(Spot) + sizeof(DescriptorCode));
  if (!fits || head.pictures != features.size()) damaged(path, "it holds not what its head says");
  const auto pictures = take<CodedPicture>(rest, head.pictures);
  std::uint64_t keypoints = 0;
  for (const CodedPicture& picture : pictures) {
    keypoints += picture.keypoints;
    if (std::max(picture.width, picture.height) > INT32_MAX) damaged(path, "a picture is of no size");
  }
  spots_ = take<Spot>(rest, head.keypoints);
  codes_ = take<DescriptorCode>(rest, head.keypoints);
  const auto mean = take<float>(rest, head.dim);
  mean_ = {.sample = head.sample, .numbers = {mean.begin(), mean.end()}};
  if (keypoints != head.keypoints) damaged(path, "its pictures have not as many keypoints as its head says");
  const auto finite = [](float x) { return std::isfinite(x); };
  if (!std::ranges::all_of(spots_, is_sound) || !std::ranges::all_of(mean, finite))
    damaged(path, "it holds what is no number");
  pictures_ = pictures;
}

KeypointCodes KeypointCodes::open(const std::string& path, const LocalFile& features) {
  KeypointCodes out;
  if (!exists(path)) return out;
  out.map(path, features);
  return out;
}

KeypointCodes KeypointCodes::compute(const LocalFile& features, const CodeMean& mean) {
  const DescriptorCoder coder(features.info().kind, mean.numbers);
  struct Known {
    CodedPicture picture = {};
    std::vector<Spot> spots = {};
    std::vector<DescriptorCode> codes = {};
  };
  std::vector<Known> known(features.size());
  parallel_blocks(known.size(), 1, [&](std::size_t i, std::size_t) {
    const LocalFeatures of_picture = features.features(i);
    known[i].picture = {.width = static_cast<std::uint32_t>(of_picture.width),
                        .height = static_cast<std::uint32_t>(of_picture.height),
                        .keypoints = static_cast<std::uint32_t>(of_picture.size())};
    for (const Keypoint& point : of_picture.keypoints) known[i].spots.push_back(spot_of(point));
    known[i].codes = coder.encode(of_picture, false).codes;
  });
  KeypointCodes out;
  out.mean_ = mean;
  for (Known& picture : known) {
    out.own_pictures_.push_back(picture.picture);
    out.own_spots_.insert(out.own_spots_.end(), picture.spots.begin(), picture.spots.end());
    out.own_codes_.insert(out.own_codes_.end(), picture.codes.begin(), picture.codes.end());
    picture = {};
  }
  out.pictures_ = out.own_pictures_;
  out.spots_ = out.own_spots_;
  out.codes_ = out.own_codes_;
  return out;
}

void KeypointCodes::write(const std::string& path, const LocalFile& features) const {
  const std::array<Bytes, 4> parts = {std::as_bytes(pictures_), std::as_bytes(spots_), std::as_bytes(codes_),
                                      std::as_bytes(std::span(mean_.numbers))};
  Head head{.pictures = pictures_.size(),
            .keypoints = codes_.size(),
            .length = sizeof(Head),
            .sample = mean_.sample,
            .dim = static_cast<std::uint32_t>(mean_.numbers.size()),
            .features = features.digest()};
  std::ranges::copy(kMagic, head.magic.begin());
  Xxh3Hasher rest;
  for (const Bytes part : parts) {
    head.length += part.size();
    rest.update(part);
  }
  head.rest = rest.digest();
  head.own = own_digest(head);
  OutputFile out(path, true);
  out.write(std::as_bytes(std::span(&head, 1)));
  for (const Bytes part : parts) out.write(part);
  out.commit();
}

CodeMean sample_mean(std::span<const LocalFile> files) {
  if (files.empty() || files.front().info().kind.binary) return {};
  const auto size_of = [](const LocalFile& file) { return file.size(); };
  std::size_t count = 0;
  for (const LocalFile& file : files) count += size_of(file);
  const std::size_t taken = std::min(count, kSample), dim = files.front().info().kind.dim;
  std::vector<double> sums(dim);
  CodeMean mean{.sample = 0, .numbers = std::vector<float>(dim)};
  std::size_t file = 0, before = 0;  // where picture `number` of all lies
  for (std::size_t i = 0; i < taken; ++i) {
    const std::size_t number = i * count / taken;
    while (number - before >= files[file].size()) before += files[file++].size();
    const LocalFeatures features = files[file].features(number - before);
    for (std::size_t k = 0; k < features.descriptors.size(); ++k)
      sums[k % dim] += static_cast<double>(features.descriptors[k]);
    mean.sample += features.size();
  }
  for (std::size_t k = 0; k < dim && mean.sample > 0; ++k)
    mean.numbers[k] = static_cast<float>(sums[k] / static_cast<double>(mean.sample));
  return mean;
}

std::vector<KeypointCodes> open_codes(std::span<const LocalFile> files) {
  std::vector<KeypointCodes> stored;
  const CodeMean* best = nullptr;
  stored.reserve(files.size());
  for (const LocalFile& file : files) {
    stored.push_back(KeypointCodes::open(code_file(file.path()), file));
    if (!stored.back().empty() && (!best || stored.back().mean().sample > best->sample)) best = &stored.back().mean();
  }
  const CodeMean mean = best ? *best : sample_mean(files);
  for (std::size_t i = 0; i < files.size(); ++i)
    if (stored[i].empty() || stored[i].mean() != mean) stored[i] = KeypointCodes::compute(files[i], mean);
  return stored;
}

void store_codes(std::span<const LocalFile> files) {
  std::vector<std::optional<CodeMean>> stored;
  CodeMean mean;
  for (const LocalFile& file : files) {
    const auto codes = sound_codes(file);
    stored.push_back(codes ? std::optional(codes->mean()) : std::nullopt);
    if (codes && codes->mean().sample > mean.sample) mean = codes->mean();
  }
  constexpr std::uint64_t kBetter = 2;  // times as many descriptors
  if (CodeMean now = sample_mean(files);
      mean.numbers.empty() || now.sample >= kBetter * std::max<std::uint64_t>(mean.sample, 1))
    mean = std::move(now);
  for (std::size_t i = 0; i < files.size(); ++i)
    if (stored[i] != mean) KeypointCodes::compute(files[i], mean).write(code_file(files[i].path()), files[i]);
}

}  // namespace cbir
