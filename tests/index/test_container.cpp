#include <cstring>
#include <functional>

#include <cbir/base/error.hpp>
#include <lib/index/container.hpp>
#include <tests/catch.hpp>
#include <tests/index/index_fixture.hpp>

using namespace cbir;
using namespace cbir::container;

namespace {

using Buffer = std::vector<std::byte>;

/// A small index's bytes.
Buffer small_index() {
  const TemporaryFolder folder;
  const std::vector<float> vectors = fixture::random_vectors(3, 5, 1);
  return read_file(fixture::build(folder, vectors, 5, Metric::cosine));
}

/// 5, 6 or 0, as a program that opens these bytes would exit.
int outcome(Bytes file) {
  try {
    Container::parse(file, "x.cbir", Check::opening);
    return 0;
  } catch (const Error& error) {
    return static_cast<int>(error.code());
  }
}

template <typename T>
void put(Buffer& file, std::size_t offset, T value) {
  std::memcpy(file.data() + offset, &value, sizeof value);
}

/// Makes the record's checksum true again after a change.
void seal(Buffer& file, std::size_t offset, std::size_t size) {
  put(file, offset + size - sizeof(Xxh3), xxh3(Bytes(file).subspan(offset, size - sizeof(Xxh3))));
}

Buffer with_head(Buffer file, const std::function<void(Buffer&)>& change) {
  change(file);
  seal(file, 0, kHeadBytes);
  return file;
}

Root newest_root(const Buffer& file) { return Container::parse(file, "x", Check::all).root(); }

/// Puts a changed table in, with all checksums above it made true.
Buffer with_table(Buffer file, const std::function<void(std::byte*)>& change) {
  Root root = newest_root(file);
  change(file.data() + root.table_offset);
  root.table_digest = xxh3(Bytes(file).subspan(root.table_offset, padded(root.table_bytes)));
  for (root.generation = 1; root.generation <= 2; ++root.generation) {
    const Buffer record = serialize(root);
    std::copy(record.begin(), record.end(),
              file.begin() + static_cast<std::ptrdiff_t>(kRootOffsets[root.generation % 2]));
  }
  return file;
}

}  // namespace

TEST_CASE("every truncation is damage") {
  const Buffer file = small_index();
  std::size_t unnoticed = 0;
  for (std::size_t length = 0; length < file.size(); ++length) unnoticed += outcome(Bytes(file).first(length)) != 5;
  CHECK(unnoticed == 0);
}

TEST_CASE("what an unfinished append left is passed over and reported") {
  Buffer file = small_index();
  const std::size_t size = file.size();
  file.insert(file.end(), 777, std::byte{0xAB});
  CHECK(Container::parse(file, "x", Check::all).leftover() == 777);
  CHECK(Container::parse(Bytes(file).first(size), "x", Check::all).leftover() == 0);
}

TEST_CASE("a sound file of another kind is incompatible, not damaged") {
  const Buffer file = small_index();
  CHECK(outcome(with_head(file, [](Buffer& f) { put<std::uint16_t>(f, 8, kMajor + 1); })) == 6);
  CHECK(outcome(with_head(file, [](Buffer& f) { put<std::uint64_t>(f, 16, 2); })) == 6);           // required feature
  CHECK(outcome(with_head(file, [](Buffer& f) { put<std::uint32_t>(f, 12, 0x04030201); })) == 6);  // big-endian
  CHECK(outcome(with_head(file, [](Buffer& f) { put<std::uint16_t>(f, 10, kMinor + 1); })) ==
        0);                                                                               // newer minor version
  CHECK(outcome(with_head(file, [](Buffer& f) { put<std::uint64_t>(f, 24, 1); })) == 0);  // optional feature
}

TEST_CASE("damage is found before the version is looked at") {
  Buffer newer = with_head(small_index(), [](Buffer& f) { put<std::uint16_t>(f, 8, kMajor + 1); });
  newer[newer.size() - 5000] ^= std::byte{1};
  CHECK(outcome(newer) == 5);
}

TEST_CASE("a file that never was an index is told apart from one that was damaged") {
  const std::string text(5000, 'a');
  CHECK(outcome(as_bytes(text)) == 6);
  CHECK(outcome(as_bytes("short")) == 6);
  CHECK(outcome({}) == 5);
  std::string converted(as_text(small_index()));
  converted.erase(converted.find('\r'), 1);  // as a transfer in text mode does
  CHECK(outcome(as_bytes(converted)) == 5);
}

TEST_CASE("sections that change places are damage") {
  const Buffer file = small_index();
  const std::vector<Section> sections = Container::parse(file, "x", Check::all).sections();
  for (std::size_t a = 0; a < sections.size(); ++a) {
    for (std::size_t b = a + 1; b < sections.size(); ++b) {
      Buffer swapped = file;
      std::swap_ranges(swapped.begin() + static_cast<std::ptrdiff_t>(sections[a].offset),
                       swapped.begin() + static_cast<std::ptrdiff_t>(sections[a].offset + kPage),
                       swapped.begin() + static_cast<std::ptrdiff_t>(sections[b].offset));
      CHECK(outcome(swapped) == 5);
    }
  }
}

TEST_CASE("the two root records cannot change places") {
  Buffer file = small_index();
  std::swap_ranges(file.begin() + kRootOffsets[0], file.begin() + kRootOffsets[0] + kRootBytes,
                   file.begin() + kRootOffsets[1]);
  CHECK(outcome(file) == 5);
}

TEST_CASE("a table that lies, with true checksums, is damage and never a wild read") {
  const Buffer file = small_index();
  REQUIRE(outcome(with_table(file, [](std::byte*) {})) == 0);
  const auto with_field = [&](std::size_t offset, std::uint64_t value) {
    return outcome(with_table(file, [&](std::byte* entry) { std::memcpy(entry + offset, &value, sizeof value); }));
  };
  constexpr std::size_t kOffset = 16, kLength = 24;
  for (const std::uint64_t value :
       std::initializer_list<std::uint64_t>{0, 1, 4097, 8192, 1ULL << 40, 1ULL << 63, UINT64_MAX, UINT64_MAX - 4095}) {
    CHECK(with_field(kOffset, value) == 5);
    CHECK(with_field(kLength, value) == 5);
  }
  CHECK(with_field(kOffset, 4095) == 5);
}

TEST_CASE("a root that lies, with a true checksum, is damage and never a wild read") {
  const Buffer file = small_index();
  for (const std::size_t field : {8, 16, 24, 32}) {
    for (const std::uint64_t value : std::initializer_list<std::uint64_t>{0, 7, 4096, 1ULL << 41, UINT64_MAX}) {
      Buffer changed = file;
      for (const std::size_t root : kRootOffsets) {
        put(changed, root + field, value);
        seal(changed, root, kRootBytes);
      }
      CHECK(outcome(changed) == 5);
    }
  }
}

TEST_CASE("recovery falls back to the sound root and says what was wrong with the other") {
  const TemporaryFolder folder;
  const Buffer file = small_index();
  for (const std::size_t root : kRootOffsets) {
    Buffer torn = file;
    torn[root + 100] ^= std::byte{1};
    write_file(folder / "torn.cbir", as_text(torn), true);
    CHECK_THROWS_AS(Index::open(folder / "torn.cbir"), DamagedFile);
    const RecoverReport report = recover_index(folder / "torn.cbir", folder / "whole.cbir", true);
    CHECK(report.kept.rows == 3);
    CHECK(report.lost.find("checksum") != std::string::npos);
    CHECK(read_file(folder / "whole.cbir") == file);  // both roots describe the same sections after a build
  }
  Buffer gone = file;
  gone[2 * kPage] ^= std::byte{1};  // a section: no root reaches it whole
  write_file(folder / "gone.cbir", as_text(gone), true);
  CHECK_THROWS_AS(recover_index(folder / "gone.cbir", folder / "whole.cbir", true), DamagedFile);
}

TEST_CASE("a large file's vectors are checked on request only; all else always is") {
  const TemporaryFolder folder;
  const std::size_t dim = 4096, rows = kWholeCheckBytes / (dim * sizeof(float)) + 1;
  const std::string path = fixture::build(folder, fixture::random_vectors(rows, dim, 1), dim, Metric::dot);
  const Container sound = Container::open(path, Check::all);
  const auto flipped = [&](SectionKind kind, Check check) {
    Buffer file(sound.bytes().begin(), sound.bytes().end());
    for (const Section& section : sound.sections())
      if (section.kind == kind) file[section.offset + section.bytes / 2] ^= std::byte{0x40};
    write_file(folder / "flipped.cbir", as_text(file), true);
    try {
      return Index::open(folder / "flipped.cbir", check).size() == rows;
    } catch (const DamagedFile&) {
      return false;
    }
  };
  CHECK(flipped(SectionKind::vectors, Check::opening));
  CHECK_FALSE(flipped(SectionKind::vectors, Check::all));
  CHECK_FALSE(flipped(SectionKind::rows, Check::opening));
}
