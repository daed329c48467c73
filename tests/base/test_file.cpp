#include <cbir/base/file.hpp>

#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include <cbir/base/error.hpp>
#include <tests/catch.hpp>
#include <tests/temporary.hpp>

using namespace cbir;

namespace {
std::size_t entries(const TemporaryFolder& folder) {
  return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator(folder.path()), {}));
}
}  // namespace

TEST_CASE("an output appears when it is committed, and never in part") {
  const TemporaryFolder folder;
  const std::string path = folder / "out";
  {
    OutputFile file(path, false);
    file.write(std::string(3'000'000, 'a'));
  }
  CHECK(entries(folder) == 0);
  {
    OutputFile file(path, false);
    file.write("....rest");
    file.write_at(0, as_bytes("head"));
    CHECK_FALSE(exists(path));
    file.commit();
  }
  CHECK(read_text(path) == "headrest");
  CHECK(entries(folder) == 1);
}

TEST_CASE("nothing is overwritten unless that was asked for") {
  const TemporaryFolder folder;
  const std::string path = folder / "out";
  write_file(path, "old", false);
  CHECK_THROWS_AS(write_file(path, "new", false), OutputError);
  CHECK(read_text(path) == "old");
  write_file(path, "new", true);
  CHECK(read_text(path) == "new");
  CHECK(entries(folder) == 1);

  OutputFile late(folder / "late", false);  // the name appears while we write
  write_file(folder / "late", "theirs", false);
  late.write("ours");
  CHECK_THROWS_AS(late.commit(), OutputError);
  CHECK(read_text(folder / "late") == "theirs");
}

TEST_CASE("what a killed run left on the way to a name goes when the next one gets there") {
  const TemporaryFolder folder;
  write_file(folder / "x", "old", true);
  const auto names = [&] {
    std::set<std::string> found;
    for (const auto& entry : std::filesystem::directory_iterator(folder.path())) found.insert(entry.path().filename());
    return found;
  };
  if (const pid_t child = fork(); child == 0) {  // which gets as far as the name in between: a folder is in its way
    OutputFile file(folder / "x", true);
    std::filesystem::remove(folder / "x");
    std::filesystem::create_directory(folder / "x");
    try {
      file.commit();
    } catch (const OutputError&) {
      _exit(0);  // cleans nothing up, as one that is killed
    }
    _exit(1);
  } else {
    int status = 0;
    REQUIRE(waitpid(child, &status, 0) == child);
    REQUIRE(status == 0);
  }
  CHECK(names().size() == 2);
  std::filesystem::remove(folder / "x");
  write_file(folder / "x", "newer", true);
  CHECK(names() == std::set<std::string>{"x"});
  CHECK(read_text(folder / "x") == "newer");
}

TEST_CASE("many that replace one file at once leave one of their files, whole, and nothing else") {
  const TemporaryFolder folder;
  write_file(folder / "x", "old", true);
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&, t] {
      for (int i = 0; i < 50; ++i) write_file(folder / "x", std::string(1000, static_cast<char>('a' + t)), true);
    });
  for (std::thread& thread : threads) thread.join();
  const std::string text = read_text(folder / "x");
  CHECK(text == std::string(1000, text[0]));
  std::size_t files = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(folder.path())) ++files;
  CHECK(files == 1);
}

TEST_CASE("what cannot be read is named") {
  const TemporaryFolder folder;
  CHECK_THROWS_AS(MappedFile(folder / "missing"), MissingInput);
  CHECK_THROWS_AS(MappedFile(folder.path()), MissingInput);  // a folder
  write_file(folder / "big", std::string(100, 'x'), false);
  CHECK_THROWS_AS(read_file(folder / "big", 99), ResourceLimit);
  CHECK(read_file(folder / "big", 100).size() == 100);
  write_file(folder / "empty", "", false);
  CHECK(MappedFile(folder / "empty").bytes().empty());
}

TEST_CASE("an output that cannot be made is an output error") {
  CHECK_THROWS_AS(write_file("/proc/nowhere/out", "x", true), OutputError);
}

TEST_CASE("one lock has one holder") {
  const TemporaryFolder folder;
  {
    const FileLock lock(folder / "lock");
    CHECK_THROWS_AS(FileLock(folder / "lock"), Locked);
  }
  CHECK_NOTHROW(FileLock(folder / "lock"));
}

TEST_CASE("pipes and devices are written to, links are followed, and neither is replaced") {
  const TemporaryFolder folder;
  REQUIRE(mkfifo((folder / "pipe").c_str(), 0600) == 0);
  const Fd reader = open_input(folder / "pipe");
  write_file(folder / "pipe", "through", false);
  char text[16] = {};
  CHECK(read(reader.get(), text, sizeof text) == 7);
  CHECK(std::string(text) == "through");
  CHECK(std::filesystem::is_fifo(folder / "pipe"));
  CHECK_THROWS_AS(write_file("/dev/full", "x", true), OutputError);

  write_file(folder / "target", "old", false);
  std::filesystem::create_symlink("target", folder / "link");
  CHECK_THROWS_AS(write_file(folder / "link", "new", false), OutputError);
  write_file(folder / "link", "new", true);
  CHECK(std::filesystem::is_symlink(folder / "link"));
  CHECK(read_text(folder / "target") == "new");
  CHECK_THROWS_AS(write_file(folder.path(), "x", true), OutputError);
}

TEST_CASE("an input is not to be replaced, whatever it is called") {
  const TemporaryFolder folder;
  write_file(folder / "a", "x", false);
  std::filesystem::create_hard_link(folder / "a", folder / "b");
  CHECK_THROWS_AS(refuse_to_replace(folder / "b", {folder / "a"}), UsageError);
  CHECK_NOTHROW(refuse_to_replace(folder / "new", {folder / "a", folder / "new"}));
  CHECK_NOTHROW(refuse_to_replace("-", {folder / "a"}));
}
