// The disk loses power: what was not synchronised is there, not there, or torn, sector by sector, in any combination.
#include <algorithm>
#include <cstring>
#include <random>

#include <cbir/base/error.hpp>
#include <lib/index/change.hpp>
#include <lib/index/sets.hpp>
#include <tests/catch.hpp>
#include <tests/index/index_fixture.hpp>

using namespace cbir;

namespace {

using Buffer = std::vector<std::byte>;

constexpr std::size_t kDim = 16, kSector = 512;

struct Operation {
  bool sync = false;
  std::uint64_t offset = 0;
  Buffer data = {};
};

/// Does what it is told, and remembers it.
struct RecordedFile : ChangedFile {
  RecordedFile(const std::string& path, std::vector<Operation>& log) : ChangedFile(path), operations(log) {}
  void write_at(std::uint64_t offset, Bytes data) override {
    operations.push_back({.offset = offset, .data = Buffer(data.begin(), data.end())});
    ChangedFile::write_at(offset, data);
  }
  void sync() override {
    operations.push_back({.sync = true});
    ChangedFile::sync();
  }
  std::vector<Operation>& operations;
};

void apply(Buffer& disk, std::uint64_t offset, Bytes data) {
  disk.resize(std::max<std::size_t>(disk.size(), offset + data.size()));
  std::memcpy(disk.data() + offset, data.data(), data.size());
}

/// What the disk holds after power was lost when `done` of the operations had been asked for.
Buffer after_power_loss(const Buffer& before, const std::vector<Operation>& operations, std::size_t done,
                        std::mt19937& generator) {
  Buffer disk = before;
  std::size_t durable = 0;
  for (std::size_t i = 0; i < done; ++i)
    if (operations[i].sync) durable = i;
  for (std::size_t i = 0; i < done; ++i) {
    const Operation& operation = operations[i];
    if (operation.sync) continue;
    if (i < durable) {
      apply(disk, operation.offset, operation.data);
      continue;
    }
    const unsigned fate = generator() % 4;  // none of it, all of it, or each sector by itself
    for (std::size_t at = 0; at < operation.data.size();) {
      const std::size_t end = std::min((operation.offset + at) / kSector * kSector + kSector - operation.offset,
                                       static_cast<std::uint64_t>(operation.data.size()));
      const Bytes sector = Bytes(operation.data).subspan(at, end - at);
      const bool is_root = operation.offset < container::kPage;  // one sector, written whole or not at all
      if (fate == 1 || (fate > 1 && generator() % 2 == 0)) apply(disk, operation.offset + at, sector);
      else if (fate == 3 && !is_root) {
        Buffer garbage(sector.size());
        for (std::byte& b : garbage) b = static_cast<std::byte>(generator());
        apply(disk, operation.offset + at, garbage);
      }
      at = end;
    }
  }
  return disk;
}

std::uint64_t count_rows(const IndexInfo& info) { return info.rows; }

/// Runs a change on a copy of `base`, and loses power at every moment of it, many times. `observe` tells the index
/// before from the index after, when it gives `expected`.
template <typename Change, typename Observe>
void lose_power(const std::string& base, const TemporaryFolder& folder, std::uint64_t expected, const Change& change,
                const Observe& observe) {
  const Buffer before = read_file(base);
  const std::uint64_t unchanged = observe(verify_index(base));
  const std::string path = folder / "lost.cbir";
  std::vector<Operation> operations;
  write_file(path, as_text(before), true);
  {
    ContainerAppender appender(std::make_unique<RecordedFile>(path, operations));
    change(appender);
  }
  REQUIRE(operations.back().sync);
  REQUIRE(std::ranges::count_if(operations, [](const Operation& o) { return o.sync; }) == 2);

  std::mt19937 generator(1);
  std::size_t old_ones = 0, new_ones = 0;
  for (std::size_t done = 0; done <= operations.size(); ++done) {
    for (int round = 0; round < 40; ++round) {
      write_file(path, as_text(after_power_loss(before, operations, done, generator)), true);
      const std::uint64_t found = observe(verify_index(path));  // sound in every byte
      if (done == operations.size()) REQUIRE(found == expected);
      (found == unchanged ? old_ones : new_ones) += 1;
      REQUIRE((found == unchanged || found == expected));
      if (found != unchanged) continue;
      ContainerAppender again(path);  // who comes next finishes it, over whatever was left
      change(again);
      REQUIRE(observe(verify_index(path)) == expected);
    }
  }
  CHECK(old_ones > 40);
  CHECK(new_ones > 40);
}

}  // namespace

TEST_CASE("an index that loses power while it grows or shrinks is the old one or the new one") {
  const TemporaryFolder folder;
  for (const std::string& type : fixture::index_types()) {
    const std::string base = fixture::grown_index(folder, type, 40, kDim);
    fixture::write_set(folder, "part4", fixture::random_vectors(40, kDim, 4), kDim, {"cat"}, {.normalization = "none"});
    const std::uint64_t rows = Index::open(base).size();
    lose_power(
        base, folder, rows + 40,
        [&](ContainerAppender& appender) {
          add_rows(appender, open_sets({folder / "part4"}, true), {.allow_mismatch = true});
        },
        count_rows);
    lose_power(
        base, folder, rows - 1,
        [&](ContainerAppender& appender) { remove_rows(appender, {.paths = {"part1/3.jpg"}, .labels = {}}); },
        count_rows);
  }
}

TEST_CASE("an index that loses power while a cut-off is stored has it or has not") {
  const TemporaryFolder folder;
  lose_power(
      fixture::grown_index(folder, "flat", 40, kDim), folder, 1,
      [&](ContainerAppender& appender) { store_cutoff(appender, {.score = .5, .precision = .9, .recall = .1}); },
      [](const IndexInfo& info) { return std::uint64_t{info.cutoff.has_value()}; });
}
