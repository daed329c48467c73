#include <unistd.h>

#include <algorithm>
#include <string>
#include <vector>

#include <cbir/base/error.hpp>
#include <cbir/base/file.hpp>
#include <cbir/base/random.hpp>

#include "lib/catalog/code_file.hpp"
#include "lib/catalog/files.hpp"
#include "tests/catch.hpp"
#include "tests/temporary.hpp"

using namespace cbir;

namespace {

const LocalKind kFloats{.name = "f", .fingerprint = std::string(64, 'a'), .dim = 8, .binary = false};
const LocalKind kBits{.name = "b", .fingerprint = std::string(64, 'b'), .dim = 32, .binary = true};

/// A file of features of pictures with so many keypoints each.
LocalFile make(const std::string& path, const LocalKind& kind, const std::vector<std::size_t>& pictures,
               std::uint64_t seed) {
  SplitMix64 random(seed);
  const auto uniform = [&] { return static_cast<float>(random() >> 40) * 0x1p-24F; };
  LocalFileWriter writer(path, {.kind = kind}, true);
  for (std::size_t i = 0; i < pictures.size(); ++i) {
    LocalFeatures features{.width = 100, .height = static_cast<int>(50 + i)};
    for (std::size_t k = 0; k < pictures[i]; ++k)
      features.keypoints.push_back({.x = 100 * uniform(), .y = 50 * uniform(), .size = 3, .angle = 9, .score = 1});
    for (std::size_t k = 0; k < pictures[i] * kind.dim; ++k)
      if (kind.binary) features.bits.push_back(static_cast<std::uint8_t>(random()));
      else features.descriptors.push_back(uniform());
    writer.add({.name = std::to_string(seed) + "-" + std::to_string(i)}, features);
  }
  writer.commit();
  return LocalFile::open(path);
}

bool same(const KeypointCodes& a, const KeypointCodes& b) {
  const auto spots = [](const KeypointCodes& codes) { return as_text(std::as_bytes(codes.spots())); };
  const auto pictures = [](const KeypointCodes& codes) { return as_text(std::as_bytes(codes.pictures())); };
  return a.mean() == b.mean() && spots(a) == spots(b) && pictures(a) == pictures(b) &&
         std::ranges::equal(a.codes(), b.codes());
}

std::vector<LocalFile> one(LocalFile file) {
  std::vector<LocalFile> files;
  files.push_back(std::move(file));
  return files;
}

}  // namespace

TEST_CASE("Codes that are stored are those that are computed") {
  const TemporaryFolder dir;
  for (const LocalKind& kind : {kFloats, kBits}) {
    const auto files = one(make(dir / "features-1.local", kind, {5, 0, 70}, 1));
    const std::string path = code_file(files[0].path());
    CHECK(path == dir / "features-1.codes");
    CHECK(KeypointCodes::open(path, files[0]).empty());
    store_codes(files);
    const KeypointCodes stored = KeypointCodes::open(path, files[0]);
    REQUIRE(stored.pictures().size() == 3);
    CHECK(stored.pictures()[2].keypoints == 70);
    CHECK(stored.pictures()[2].height == 52);
    CHECK(stored.mean().sample == (kind.binary ? 0U : 75U));
    CHECK(same(stored, KeypointCodes::compute(files[0], sample_mean(files))));
    CHECK(same(stored, open_codes(files)[0]));
    unlink(path.c_str());
    CHECK(same(stored, open_codes(files)[0]));
  }
}

TEST_CASE("No changed or missing byte of stored codes is believed") {
  const TemporaryFolder dir;
  const auto files = one(make(dir / "features-1.local", kFloats, {3}, 1));
  store_codes(files);
  const std::string path = code_file(files[0].path()), sound = read_text(path);
  for (std::size_t i = 0; i < sound.size(); ++i) {
    std::string changed = sound;
    changed[i] = static_cast<char>(changed[i] ^ 1);
    write_file(path, changed, true);
    CHECK_THROWS_AS(KeypointCodes::open(path, files[0]), DamagedFile);
    write_file(path, sound.substr(0, i), true);
    CHECK_THROWS_AS(KeypointCodes::open(path, files[0]), DamagedFile);
  }
  write_file(path, std::string(500, 'x'), true);
  CHECK_THROWS_AS(KeypointCodes::open(path, files[0]), Incompatible);
  write_file(path, sound.substr(0, 200), true);
  store_codes(files);
  CHECK(read_text(path) == sound);
}

TEST_CASE("Codes of other features are passed over") {
  const TemporaryFolder dir;
  store_codes(one(make(dir / "features-1.local", kFloats, {30, 30}, 1)));
  const auto files = one(make(dir / "features-1.local", kFloats, {40, 20}, 2));
  const std::string path = code_file(files[0].path());
  CHECK(KeypointCodes::open(path, files[0]).empty());
  CHECK(open_codes(files)[0].pictures()[0].keypoints == 40);
  store_codes(files);
  CHECK(KeypointCodes::open(path, files[0]).pictures()[0].keypoints == 40);
}

TEST_CASE("All codes are about one mean, which is found again while it is that of few descriptors") {
  const TemporaryFolder dir;
  std::vector<LocalFile> files;
  const auto add = [&](std::size_t keypoints) {
    const std::size_t number = files.size() + 1;
    files.push_back(make(dir.path() + "/features-" + std::to_string(number) + ".local", kFloats, {keypoints}, number));
    store_codes(files);
    return KeypointCodes::open(code_file(files.back().path()), files.back()).mean().sample;
  };
  CHECK(add(0) == 0);  // a plain picture
  CHECK(add(20) == 20);
  CHECK(add(10) == 20);
  CHECK(add(30) == 60);
  for (const KeypointCodes& codes : open_codes(files)) CHECK(codes.mean().sample == 60);
  // What a run that was killed leaves: one file by the old mean. It is computed by that of most descriptors.
  KeypointCodes::compute(files[1], {.sample = 20, .numbers = std::vector<float>(8)})
      .write(code_file(files[1].path()), files[1]);
  const auto codes = open_codes(files);
  CHECK(same(codes[1], KeypointCodes::compute(files[1], codes[0].mean())));
  store_codes(files);
  CHECK(same(codes[1], KeypointCodes::open(code_file(files[1].path()), files[1])));
}
