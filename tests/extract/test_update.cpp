/// Bringing sets up to date, as the library does it; tests/tools/test_update.py has the program.

#include <filesystem>

#include <cbir/base/error.hpp>
#include <cbir/extract/extract.hpp>
#include <cbir/extract/report.hpp>
#include <tests/catch.hpp>
#include <tests/extract/fake.hpp>

using namespace cbir;

namespace {

struct Updated {
  explicit Updated(int count) : pictures(count) {}

  ExtractReport update(const ExtractProgress& progress = {}, int* opened = nullptr) const {
    ExtractOptions options = pictures.options();
    options.update = true;
    return extract(pictures.list(), fake_choice(opened), options, progress);
  }
  /// The set is that of a fresh run.
  void check() const {
    ExtractOptions options = pictures.options("fresh");
    options.force = true;
    extract(pictures.list(), fake_choice(), options);
    CHECK(pictures.content() == pictures.content("fresh"));
  }
  Pictures pictures;
};

}  // namespace

TEST_CASE("an update with nothing to do opens no network") {
  const Updated set(10);
  int opened = 0;
  CHECK(set.update({}, &opened).changes == Changes{.added = 10});
  CHECK(opened == 1);
  const ExtractReport report = set.update({}, &opened);
  CHECK(report.nothing_to_do);
  CHECK(report.changes == Changes{.unchanged = 10});
  CHECK(opened == 1);
}

TEST_CASE("an update goes through the network with what is new, and nothing else") {
  const Updated set(10);
  set.update();
  set.pictures.write("a/000.jpg", jpeg(77));
  set.pictures.write("b/3.jpg", jpeg(78));
  std::filesystem::rename(set.pictures.root + "/a/1.jpg", set.pictures.root + "/b/99.jpg");
  std::filesystem::remove(set.pictures.root + "/a/2.jpg");
  const ExtractReport report = set.update();
  CHECK(report.encoded == 2);
  CHECK(report.changes == Changes{.added = 1, .changed = 1, .moved = 1, .deleted = 1, .unchanged = 7});
  set.check();
  CHECK(describe(*report.changes) == "1 added, 1 changed, 1 moved, 1 deleted, 7 unchanged");
  CHECK(to_json(report) ==
        "{\"rows\":10,\"failed\":0,\"encoded\":2,\"resumed\":0,\"nothing_to_do\":false,\"added\":1,"
        "\"changed\":1,\"moved\":1,\"deleted\":1,\"unchanged\":7}\n");
}

TEST_CASE("an update that is stopped and whose files change keeps what it encoded") {
  struct Stopped : std::exception {};
  const Updated set(40);
  const auto stop = [](std::uint64_t done, std::uint64_t) {
    if (done >= 20) throw Stopped();
  };
  CHECK_THROWS_AS(set.update(stop), Stopped);
  set.pictures.write("a/000.jpg", jpeg(90));  // before all others
  CHECK(set.update().encoded <= 21);
  set.check();
}

TEST_CASE("a set that was not made here is not brought up to date") {
  const Updated set(4);
  set.update();
  std::filesystem::remove_all(set_paths(set.pictures.options().output).state);
  CHECK_THROWS_AS(set.update(), OutputError);
}

TEST_CASE("a run ends before its next batch when it is told to") {
  const Pictures pictures(40);
  ExtractOptions options = pictures.options();
  int asked = 0;
  options.stop = [&] { return ++asked > 3; };
  const ExtractReport report = extract(pictures.list(), fake_choice(), options);
  CHECK(report.stopped);
  CHECK(report.done == 12);
  CHECK_FALSE(exists(set_paths(options.output).manifest));
  options.stop = {};
  CHECK(extract(pictures.list(), fake_choice(), options).resumed == 12);
}

TEST_CASE("parts of a list know their places in it") {
  const Pictures pictures(30);
  const Listing whole = pictures.list();
  std::vector<int> seen(30);
  for (std::uint64_t part = 1; part <= 4; ++part) {
    const Listing shard = take_shard(whole, part, 4);
    for (std::size_t i = 0; i < shard.files.size(); ++i) {
      const std::uint64_t seq = shard.seq(i);
      CHECK(shard.files[i].path == whole.files[seq].path);
      ++seen[seq];
    }
    CHECK(shard.shard->items == 30);
  }
  CHECK(seen == std::vector<int>(30, 1));
  CHECK_THROWS_AS(take_shard(whole, 5, 4), UsageError);
  CHECK_THROWS_AS(take_shard(whole, 0, 4), UsageError);
}
