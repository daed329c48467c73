#include <atomic>
#include <cstring>
#include <random>

#include <cbir/base/error.hpp>
#include <cbir/base/parallel.hpp>
#include <lib/index/opened.hpp>
#include <lib/index/plain_scan.hpp>
#include <tests/catch.hpp>
#include <tests/index/index_fixture.hpp>

using namespace cbir;
using namespace cbir::container;

namespace {

using Buffer = std::vector<std::byte>;

constexpr std::size_t kDim = 16;

/// A grown index's bytes: three segments, tombstones of two, tables and tombstones of earlier generations.
Buffer grown(const std::string& type) {
  const TemporaryFolder folder;
  return read_file(fixture::grown_index(folder, type, 12, kDim));
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

/// The same with two segments and one replaced table: fewer pages, of which every bit is flipped.
Buffer slightly_grown(const std::string& type) {
  const TemporaryFolder folder;
  const std::string path = folder / "x.cbir";
  for (const unsigned part : {1U, 2U})
    fixture::write_set(folder, "part" + std::to_string(part), fixture::random_vectors(12, kDim, part), kDim, {"cat"});
  build_index({folder / "part1"}, path, {.type = type});
  add_to_index(path, {folder / "part2"}, {});
  remove_from_index(path, {.paths = {"part1/1.jpg"}, .labels = {}});
  return read_file(path);
}

/// Makes every checksum of the newest generation true again after changes of sections; `sound` is from before.
void seal(Buffer& file, const Container& sound) {
  std::vector<Section> table = sound.sections();
  const Root newest = sound.root();
  for (Section& section : table) section.digest = xxh3(Bytes(file).subspan(section.offset, padded(section.bytes)));
  const Buffer entries = serialize(table);
  std::copy(entries.begin(), entries.end(), file.begin() + static_cast<std::ptrdiff_t>(newest.table_offset));
  Root root = newest;
  root.table_digest = xxh3(Bytes(file).subspan(root.table_offset, padded(root.table_bytes)));
  for (root.generation = newest.generation; root.generation + 1 >= newest.generation; --root.generation) {
    const Buffer record = serialize(root);
    std::copy(record.begin(), record.end(),
              file.begin() + static_cast<std::ptrdiff_t>(kRootOffsets[root.generation % 2]));
  }
}

/// Opens, searches in every way and verifies: each may find damage, none may do anything worse.
void use(const std::string& path) {
  const std::vector<float> queries = fixture::random_vectors(3, kDim, 5);
  try {
    const Index index = Index::open(path);
    for (const std::size_t effort : {0, 1, 1000}) {
      SearchCounts counts;
      const auto found =
          index.search({queries.data(), 3, kDim}, 5, {.probe = effort, .candidates = effort, .ef = effort}, counts);
      for (const Hit& hit : found[0])
        if (const auto position = index.position_of(hit.id)) static_cast<void>(index.row(*position));
    }
    static_cast<void>(index.find_label("cat"));
    static_cast<void>(index.find_path("part1/3.jpg"));
  } catch (const Error& error) {
    if (error.code() == ExitCode::internal) throw;
  }
  try {
    verify_index(path);
  } catch (const Error& error) {
    if (error.code() == ExitCode::internal) throw;
  }
}

}  // namespace

/// Bits from one that is flipped to the next: all, but for sanitizers.
constexpr std::size_t kStride = fixture::kSanitized ? 7 : 1;

TEST_CASE("every flipped bit of an index that grew and shrank is damage, whatever its type") {
  for (const std::string& type : fixture::index_types()) {
    const Buffer file = slightly_grown(type);
    REQUIRE(outcome(file) == 0);
    std::atomic<std::size_t> unnoticed = 0;
    parallel_blocks(file.size() * 8, kPage, [&](std::size_t begin, std::size_t end) {
      Buffer flipped = file;
      for (std::size_t bit = begin; bit < end; bit += kStride) {
        const auto mask = static_cast<std::byte>(1U << (bit % 8));
        flipped[bit / 8] ^= mask;
        if (outcome(flipped) != 5) ++unnoticed;
        flipped[bit / 8] ^= mask;
      }
    });
    INFO(type << ", " << file.size() << " bytes");
    CHECK(unnoticed == 0);
  }
}

TEST_CASE("every truncation of an index that grew and shrank is damage, whatever its type") {
  for (const std::string& type : fixture::index_types()) {
    const Buffer file = grown(type);
    std::size_t unnoticed = 0;
    for (std::size_t length = 0; length < file.size(); ++length) unnoticed += outcome(Bytes(file).first(length)) != 5;
    INFO(type << ", " << file.size() << " bytes");
    CHECK(unnoticed == 0);
  }
}

TEST_CASE("sections that change places are damage, whatever the type") {
  for (const std::string& type : fixture::index_types()) {
    Buffer file = grown(type);
    const std::vector<Section> sections = Container::parse(file, "x", Check::all).sections();
    std::size_t unnoticed = 0;
    for (const Section& a : sections) {
      for (const Section& b : sections) {
        if (a.offset >= b.offset) continue;
        if (std::memcmp(&file[a.offset], &file[b.offset], kPage) == 0) continue;
        const auto swap = [&] { std::swap_ranges(&file[a.offset], &file[a.offset] + kPage, &file[b.offset]); };
        swap();
        unnoticed += outcome(file) != 5;
        swap();
      }
    }
    CHECK(unnoticed == 0);
  }
}

TEST_CASE("sections with true checksums and wrong values are never more than damage or a wrong score") {
  const TemporaryFolder folder;
  std::mt19937 generator(1);
  for (const std::string& type : fixture::index_types()) {
    const Buffer sound = grown(type);
    const Container container = Container::parse(sound, "x", Check::all);
    const std::vector<Section>& sections = container.sections();
    for (int round = 0; round < 400; ++round) {
      Buffer file = sound;
      const Section& section = sections[generator() % sections.size()];
      if (section.bytes == 0) continue;
      for (unsigned changes = 1 + generator() % 4; changes > 0; --changes) {
        const std::size_t at = section.offset + generator() % section.bytes;
        file[at] = round % 2 == 0 ? file[at] ^ static_cast<std::byte>(1U << generator() % 8)
                                  : static_cast<std::byte>(generator() % 3 == 0 ? 0xFF : generator());
      }
      seal(file, container);
      write_file(folder / "x.cbir", as_text(file), true);
      CHECK_NOTHROW(use(folder / "x.cbir"));
    }
  }
}

TEST_CASE("a generation that cannot be used is given up for the one before, on request") {
  const TemporaryFolder folder;
  const std::string path = fixture::grown_index(folder, "flat", 12, kDim);
  const Buffer sound = read_file(path);
  const std::uint64_t generation = Container::parse(sound, "x", Check::all).root().generation;
  const auto recovered = [&](std::size_t damage) {
    Buffer file = sound;
    file[damage] ^= std::byte{1};
    write_file(path, as_text(file), true);
    CHECK_THROWS_AS(Index::open(path), DamagedFile);
    const RecoverReport report = recover_index(path, folder / "y.cbir", true);
    CHECK(verify_index(folder / "y.cbir").rows == report.kept.rows);
    return report.kept;
  };
  CHECK(recovered(kRootOffsets[generation % 2] + 100).rows == 35);  // before the last removal
  CHECK(recovered(kRootOffsets[(generation + 1) % 2] + 100).rows == 33);
  CHECK(recovered(sound.size() - kPage).generation == generation - 1);  // the newest table
}

TEST_CASE("tombstones that are not of their segment's rows are damage") {
  const TemporaryFolder folder;
  const std::string path = fixture::grown_index(folder, "flat", 12, kDim);
  Buffer file = read_file(path);
  const Container container = Container::parse(file, "x", Check::all);
  for (const Section& section : container.sections())
    if (section.kind == SectionKind::tombstones) file[section.offset + 4] |= std::byte{1};  // row 32 of 12
  seal(file, container);
  write_file(path, as_text(file), true);
  CHECK_THROWS_WITH(Index::open(path), Catch::Contains("tombstones"));
}
