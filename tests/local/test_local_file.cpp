#include <cbir/base/error.hpp>
#include <cbir/local/local_file.hpp>
#include <tests/catch.hpp>
#include <tests/temporary.hpp>

using namespace cbir;

namespace {

const LocalKind kSift{.name = "sift", .fingerprint = std::string(64, 'a'), .dim = 3};
const LocalKind kXfeat{.name = "xfeat", .fingerprint = std::string(64, 'b'), .dim = 2};
const LocalKind kOrb{.name = "orb", .fingerprint = std::string(64, 'c'), .dim = 4, .binary = true};

const LocalSource kFirst{.name = "a/1.jpg", .box = {1, 2, 30, 40}, .picture = {5, 6}};

LocalFeatures two_of(const LocalKind& kind) {
  LocalFeatures out{.width = 640, .height = 480, .scale = 2, .keypoints = {{1, 2, 3, 4, 5}, {.x = 6.5F, .y = 7.5F}}};
  if (kind.binary) out.bits.assign(2 * kind.dim, 0x5a);
  else out.descriptors.assign(2 * kind.dim, kind.name == "sift" ? 200.0F : .25F);
  return out;
}

bool same(const LocalFeatures& a, const LocalFeatures& b) {
  return a.width == b.width && a.height == b.height && a.scale == b.scale && a.keypoints == b.keypoints &&
         a.descriptors == b.descriptors && a.bits == b.bits;
}

/// Three pictures, the middle one without features.
std::string write(const std::string& path, const LocalKind& kind) {
  LocalFileWriter writer(
      path, {.kind = kind, .keypoints = 500, .max_side = 800, .rows_xxh3 = "000102030405060708090a0b0c0d0e0f"}, false);
  writer.add(kFirst, two_of(kind));
  writer.add({.name = "blank.png"}, {.width = 3, .height = 4});
  writer.add({.name = "b/\n.jpg"}, two_of(kind));
  writer.commit();
  return path;
}

/// Opens a file of these bytes and reads all that is in it.
void read_all(const std::string& path, std::string_view bytes) {
  write_file(path, bytes, true);
  LocalFile::open(path).verify();
}

}  // namespace

TEST_CASE("features come back as they were written, whatever they are kept as") {
  const TemporaryFolder folder;
  for (const LocalKind& kind : {kSift, kXfeat, kOrb}) {
    const LocalFile file = LocalFile::open(write(folder / (kind.name + ".local"), kind));
    CHECK(file.info().kind == kind);
    CHECK(file.info().keypoints == 500);
    CHECK(file.info().max_side == 800);
    CHECK(file.info().rows_xxh3 == "000102030405060708090a0b0c0d0e0f");
    REQUIRE(file.size() == 3);
    CHECK(file.keypoints() == 4);
    CHECK(same(file.features(0), two_of(kind)));
    CHECK(same(file.features(1), {.width = 3, .height = 4}));
    CHECK(same(file.features(2), two_of(kind)));
    file.verify();
  }
}

TEST_CASE("pictures are found by name") {
  const TemporaryFolder folder;
  const LocalFile file = LocalFile::open(write(folder / "x.local", kOrb));
  CHECK(file.source(2).name == "b/\n.jpg");
  CHECK(file.find("b/\n.jpg") == 2);
  CHECK(file.find("blank.png") == 1);
  CHECK_FALSE(file.find("1.jpg"));
}

TEST_CASE("features are taken over for the very same part of the very same file") {
  const TemporaryFolder folder;
  const LocalFile file = LocalFile::open(write(folder / "x.local", kOrb));
  CHECK(file.source(0) == kFirst);
  CHECK(as_text(file.find_record(kFirst)) == local_record(kOrb, kFirst, two_of(kOrb)));
  LocalSource other = kFirst;
  other.box[3] = 41;
  CHECK(file.find_record(other).empty());
  other = kFirst;
  other.picture[0] = 9;
  CHECK(file.find_record(other).empty());
  CHECK(file.find_record({.name = "blank.png"}).empty());  // nobody knows of which file
}

TEST_CASE("a record knows whether it is whole and whose it is") {
  const std::string record = local_record(kXfeat, kFirst, two_of(kXfeat));
  CHECK(sound_record(as_bytes(record + "more"), kXfeat, kFirst) == record.size());
  CHECK(sound_record(as_bytes(record).first(record.size() - 1), kXfeat, kFirst) == 0);
  CHECK(sound_record(as_bytes(record).first(3), kXfeat, kFirst) == 0);
  CHECK(sound_record(as_bytes(record), kXfeat, {.name = "b"}) == 0);
  std::string changed = record;
  changed[80] = static_cast<char>(changed[80] ^ 1);
  CHECK(sound_record(as_bytes(changed), kXfeat, kFirst) == 0);
}

TEST_CASE("a file without pictures is whole") {
  const TemporaryFolder folder;
  LocalFileWriter writer(folder / "x.local", {.kind = kOrb}, false);
  writer.commit();
  const LocalFile file = LocalFile::open(folder / "x.local");
  CHECK(file.size() == 0);
  CHECK(file.info().rows_xxh3.empty());
  CHECK_FALSE(file.find("a"));
  file.verify();
}

TEST_CASE("every changed bit is damage") {
  const TemporaryFolder folder;
  const auto bytes = read_file(write(folder / "x.local", kSift));
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    std::string text(as_text(bytes));
    text[i] = static_cast<char>(text[i] ^ (1 << (i % 8)));
    INFO("byte " << i);
    CHECK_THROWS_AS(read_all(folder / "y.local", text), DamagedFile);
  }
}

TEST_CASE("every file that is cut short is damage, and so is one that is longer") {
  const TemporaryFolder folder;
  const auto bytes = read_file(write(folder / "x.local", kXfeat));
  for (std::size_t length = 0; length < bytes.size(); ++length) {
    INFO("length " << length);
    CHECK_THROWS_AS(read_all(folder / "y.local", as_text(bytes).substr(0, length)), DamagedFile);
  }
  CHECK_THROWS_AS(read_all(folder / "y.local", std::string(as_text(bytes)) + '\0'), DamagedFile);
}

TEST_CASE("a file of another kind does not belong here") {
  const TemporaryFolder folder;
  CHECK_THROWS_AS(read_all(folder / "y.local", std::string(1000, 'x')), Incompatible);
  CHECK_THROWS_AS(LocalFile::open(folder / "none.local"), MissingInput);
}

TEST_CASE("features that cannot be kept are refused") {
  LocalFeatures features = two_of(kSift);
  features.descriptors[1] = .5F;
  CHECK_THROWS_AS(local_record(kSift, {}, features), UsageError);
  features = two_of(kXfeat);
  features.descriptors[1] = 1e6F;  // more than half precision has
  CHECK_THROWS_AS(local_record(kXfeat, {}, features), UsageError);
  features = two_of(kXfeat);
  features.keypoints[0].x = NAN;
  CHECK_THROWS_AS(local_record(kXfeat, {}, features), UsageError);
  CHECK_THROWS_AS(local_record(kOrb, {}, two_of(kXfeat)), UsageError);
}

TEST_CASE("the file's name goes with the set's") {
  CHECK(local_path("photos") == "photos.local");
  CHECK(local_path("photos.json") == "photos.local");
  CHECK(local_path("photos.cbir") == "photos.local");
  CHECK(local_path("photos.local") == "photos.local");
}
