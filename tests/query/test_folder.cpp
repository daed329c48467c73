#include <cbir/query/folder.hpp>

#include <unistd.h>

#include <filesystem>
#include <set>
#include <string>

#include <cbir/base/error.hpp>
#include <cbir/base/file.hpp>
#include <tests/catch.hpp>
#include <tests/temporary.hpp>

#include "fake_encoder.hpp"
#include "pictures.hpp"

using namespace cbir;

namespace {

/// A folder of pictures with a cache beside it.
struct Folder {
  TemporaryFolder place;
  std::atomic<int> encoded = 0, opened = 0;

  Folder() {
    write_picture(photo("red/a.jpg"), kRed);
    write_picture(photo("green/b.jpg"), kGreen);
    write_picture(photo("c10.jpg"), kBlue);
  }
  std::string photo(const std::string& name) const { return place / ("photos/" + name); }
  FolderIndex refresh() {
    return refresh_folder_index(place / "photos", fake_choice(&encoded, &opened), {.cache = place / "cache"});
  }
};

std::vector<std::string> paths(const FolderIndex& folder) {
  const Index index = Index::open(folder.path);
  std::vector<std::string> out;
  for (std::uint64_t i = 0; i < index.size(); ++i) out.push_back(folder.prefix.apply(index.row(i).path));
  return out;
}

std::vector<float> vector_of(const FolderIndex& folder, const std::string& path) {
  const Index index = Index::open(folder.path);
  const auto row = index.vector(position_of_path(index, folder.prefix.undo(path)));
  return {row.begin(), row.end()};
}

}  // namespace

TEST_CASE("a folder is indexed once") {
  Folder folder;
  const FolderIndex first = folder.refresh();
  CHECK(first.extracted == 3);
  CHECK(first.reused == 0);
  CHECK(first.failed == 0);
  CHECK(paths(first) ==
        std::vector<std::string>{folder.photo("c10.jpg"), folder.photo("green/b.jpg"), folder.photo("red/a.jpg")});

  const FolderIndex second = folder.refresh();
  CHECK(second.path == first.path);
  CHECK(second.extracted == 0);
  CHECK(folder.opened == 1);
}

TEST_CASE("only what is new or changed is extracted again") {
  Folder folder;
  const FolderIndex before = folder.refresh();
  const auto red = vector_of(before, folder.photo("red/a.jpg")), green = vector_of(before, folder.photo("green/b.jpg"));
  write_picture(folder.photo("green/b.jpg"), kPink);
  write_picture(folder.photo("c9.jpg"), kGreen);
  std::filesystem::remove(folder.photo("c10.jpg"));

  const FolderIndex after = folder.refresh();
  CHECK(after.extracted == 2);
  CHECK(after.reused == 1);
  CHECK(paths(after) ==
        std::vector<std::string>{folder.photo("c9.jpg"), folder.photo("green/b.jpg"), folder.photo("red/a.jpg")});
  CHECK(vector_of(after, folder.photo("red/a.jpg")) == red);
  CHECK(vector_of(after, folder.photo("green/b.jpg")) != green);
  CHECK_FALSE(exists(before.path));
}

TEST_CASE("a refreshed index is that of a folder indexed from nothing") {
  Folder folder;
  folder.refresh();
  write_picture(folder.photo("c9.jpg"), kGreen);
  std::filesystem::remove(folder.photo("red/a.jpg"));
  const auto refreshed = read_file(folder.refresh().path);
  std::filesystem::remove_all(folder.place / "cache");
  CHECK(read_file(folder.refresh().path) == refreshed);
}

TEST_CASE("removals need no encoder") {
  Folder folder;
  folder.refresh();
  std::filesystem::remove(folder.photo("c10.jpg"));
  const FolderIndex after = folder.refresh();
  CHECK(after.reused == 2);
  CHECK(folder.opened == 1);
}

TEST_CASE("pictures that cannot be read are counted each time, and tried again when they change") {
  Folder folder;
  folder.refresh();
  write_file(folder.photo("bad.jpg"), "no picture", false);
  const FolderIndex broken = folder.refresh();
  CHECK(broken.failed == 1);
  CHECK(broken.reused == 3);
  CHECK(read_text(broken.failures).find("bad.jpg") != std::string::npos);
  CHECK(folder.refresh().failed == 1);
  write_picture(folder.photo("bad.jpg"), kPink);
  const FolderIndex mended = folder.refresh();
  CHECK(mended.failed == 0);
  CHECK(mended.extracted == 1);
  CHECK(paths(mended).size() == 4);
}

TEST_CASE("a damaged cache is made anew") {
  Folder folder;
  const auto sound = read_file(folder.refresh().path);
  const std::string cache = parent_path(folder.refresh().path);
  write_file(cache + "/pictures.npy", "rubbish", true);
  std::filesystem::remove(folder.refresh().path);
  const FolderIndex again = folder.refresh();
  CHECK(again.extracted == 3);
  CHECK(read_file(again.path) == sound);
}

TEST_CASE("a cache that was damaged is made again") {
  Folder folder;
  const FolderIndex first = folder.refresh();
  const auto sound = read_file(first.path);
  const auto damage = [](const std::string& path) {
    std::string content(as_text(read_file(path)));
    content[content.size() / 2] ^= 1;
    write_file(path, content, true);
  };
  damage(first.path);
  const FolderIndex mended = folder.refresh();
  CHECK(mended.reused == 3);
  CHECK(read_file(mended.path) == sound);

  damage(parent_path(first.path) + "/pictures.json");
  const FolderIndex anew = folder.refresh();
  CHECK(anew.extracted == 3);
  CHECK(read_file(anew.path) == sound);
}

TEST_CASE("two spellings of a folder share a cache, and paths are as it was spelt") {
  Folder folder;
  const FolderIndex first = folder.refresh();
  std::filesystem::create_directory_symlink(folder.place / "photos", folder.place / "link");
  const FolderIndex second = refresh_folder_index(folder.place / "link//", fake_choice(&folder.encoded, &folder.opened),
                                                  {.cache = folder.place / "cache"});
  CHECK(second.path == first.path);
  CHECK(folder.opened == 1);
  CHECK(paths(second).front() == folder.place / "link/c10.jpg");
}

TEST_CASE("a second run that would refresh is told to wait; one that need not is not") {
  Folder folder;
  const std::string cache = parent_path(folder.refresh().path);
  const FileLock other_run(cache + "/lock");
  CHECK_NOTHROW(folder.refresh());
  write_picture(folder.photo("c9.jpg"), kGreen);
  CHECK_THROWS_AS(folder.refresh(), Locked);
}

TEST_CASE("a folder without a picture is an error") {
  const TemporaryFolder place;
  make_directories(place / "photos");
  std::atomic<int> encoded = 0, opened = 0;
  const auto ask = [&](const std::string& name) {
    return refresh_folder_index(place / name, fake_choice(&encoded, &opened), {.cache = place / "cache"});
  };
  CHECK_THROWS_AS(ask("photos"), MissingInput);
  CHECK_THROWS_AS(ask("nowhere"), MissingInput);
  write_file(place / "photos/bad.jpg", "no picture", false);
  CHECK_THROWS_AS(ask("photos"), MissingInput);
  write_picture(place / "photos/good.jpg", kRed);
  CHECK(ask("photos").extracted == 1);
}
