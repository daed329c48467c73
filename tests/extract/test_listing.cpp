#include <cbir/extract/listing.hpp>

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>

#include <cbir/base/error.hpp>
#include <tests/catch.hpp>
#include <tests/extract/fake.hpp>

using namespace cbir;
using namespace std::string_literals;
using Strings = std::vector<std::string>;

namespace {

struct Tree {
  void add(const std::string& path, const std::string& content = jpeg(1)) const {
    make_directories(parent_path(folder / path));
    write_file(folder / path, content, false);
  }
  /// The paths that are listed, without the folder's own.
  Strings list(const ListingOptions& options = {}) const {
    Strings names;
    for (const ListedFile& file : list_paths({folder.path()}, options).files)
      names.push_back(file.path.substr(folder.path().size() + 1));
    return names;
  }
  TemporaryFolder folder;
};

}  // namespace

TEST_CASE("a walk lists pictures depth first, in natural order") {
  const Tree tree;
  for (const auto* path : {"10.jpg", "9.jpg", "2/b.jpg", "2/a.jpg", "11/x/1.jpg", "B.jpg", "\xff.jpg", "a\nb.jpg"})
    tree.add(path);
  CHECK(tree.list() == Strings{"2/a.jpg", "2/b.jpg", "9.jpg", "10.jpg", "11/x/1.jpg", "B.jpg", "a\nb.jpg", "\xff.jpg"});
}

TEST_CASE("content or name says what is a picture; the rest is passed over and counted") {
  const Tree tree;
  tree.add("picture-without-extension");
  tree.add("text.jpg", "no picture at all");
  tree.add("empty.png", "");
  tree.add("notes.txt", "no picture at all");
  tree.add("empty", "");
  const Listing listing = list_paths({tree.folder.path()}, {});
  CHECK(listing.ignored == 2);
  CHECK(tree.list() == Strings{"empty.png", "picture-without-extension", "text.jpg"});
  CHECK_FALSE(listing.files[0].named);
}

TEST_CASE("hidden files are entered only if that was asked for") {
  const Tree tree;
  tree.add("a.jpg");
  tree.add(".b.jpg");
  tree.add(".c/d.jpg");
  CHECK(tree.list() == Strings{"a.jpg"});
  CHECK(tree.list({.include = {}, .exclude = {}, .hidden = true}) == Strings{".b.jpg", ".c/d.jpg", "a.jpg"});
}

TEST_CASE("globs choose files, and folders to leave out") {
  const Tree tree;
  for (const auto* path : {"a/1.jpg", "a/2.png", "b/1.jpg", "b/thumbs/1.jpg", "c.jpg"}) tree.add(path);
  CHECK(tree.list({.include = {"*.png", "c*"}, .exclude = {}, .hidden = false}) == Strings{"a/2.png", "c.jpg"});
  CHECK(tree.list({.include = {"b/**"}, .exclude = {}, .hidden = false}) == Strings{"b/1.jpg", "b/thumbs/1.jpg"});
  CHECK(tree.list({.include = {}, .exclude = {"thumbs", "a/*.png"}, .hidden = false}) ==
        Strings{"a/1.jpg", "b/1.jpg", "c.jpg"});
}

TEST_CASE("FIFOs, sockets and devices are passed over without being opened") {
  const Tree tree;
  tree.add("a.jpg");
  REQUIRE(mkfifo((tree.folder / "fifo.jpg").c_str(), 0600) == 0);
  std::filesystem::create_symlink("/dev/zero", tree.folder / "zero.jpg");
  const int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = {}};
  std::strncpy(address.sun_path, (tree.folder / "socket.jpg").c_str(), sizeof address.sun_path - 1);
  REQUIRE(bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  close(fd);
  CHECK(tree.list() == Strings{"a.jpg"});
  CHECK(list_paths({tree.folder.path()}, {}).ignored == 3);
}

TEST_CASE("links are followed; a loop is reported once and not entered") {
  const Tree tree;
  tree.add("d/a.jpg");
  std::filesystem::create_symlink("a.jpg", tree.folder / "d/link.jpg");
  std::filesystem::create_symlink("..", tree.folder / "d/loop");
  std::filesystem::create_directory_symlink("d", tree.folder / "again");
  std::filesystem::create_symlink("nowhere", tree.folder / "dangling.jpg");
  std::filesystem::create_symlink("nowhere", tree.folder / "dangling");
  CHECK(tree.list() ==
        Strings{"again/a.jpg", "again/link.jpg", "again/loop", "d/a.jpg", "d/link.jpg", "d/loop", "dangling.jpg"});
  const Listing listing = list_paths({tree.folder.path()}, {});
  CHECK_THAT(listing.files[2].problem, StartsWith("a loop: leads back to "));
  CHECK(listing.files[6].problem == "cannot be examined: No such file or directory");
  CHECK(listing.ignored == 1);
}

TEST_CASE("a path is PATH as given, a slash, and the path below it") {
  const Tree tree;
  tree.add("d/a.jpg");
  const std::string folder = tree.folder.path();
  CHECK(list_paths({folder + "/"}, {}).files[0].path == folder + "/d/a.jpg");
  CHECK(list_paths({folder + "/./d"}, {}).files[0].path == folder + "/./d/a.jpg");
  const Listing named = list_paths({folder + "/d/a.jpg", folder}, {});
  CHECK(named.files.size() == 2);
  CHECK(named.files[0].named);
  CHECK_FALSE(named.files[1].named);
}

TEST_CASE("a path that is missing, or nothing to list, is an error") {
  const TemporaryFolder folder;
  CHECK_THROWS_AS(list_paths({folder / "missing"}, {}), MissingInput);
  CHECK_THROWS_AS(list_paths({folder.path()}, {}), MissingInput);
  write_file(folder / "x", "text", false);
  CHECK_THROWS_WITH(list_paths({folder.path()}, {}), ContainsSubstring("1 file passed over"));
}

TEST_CASE("lines of a list are taken verbatim") {
  const auto paths = [](const Listing& listing) {
    Strings out;
    for (const ListedFile& file : listing.files) {
      CHECK(file.named);
      out.push_back(file.path);
    }
    return out;
  };
  CHECK(paths(list_lines("a.jpg\n b \n\n./c\xff\r\nlast", '\n')) == Strings{"a.jpg", " b ", "./c\xff\r", "last"});
  CHECK(paths(list_lines("a\nb\0\0c\0"s, '\0')) == Strings{"a\nb", "c"});
  CHECK(paths(list_lines("", '\n')).empty());
}
