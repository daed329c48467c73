#include <cbir/doctor/doctor.hpp>

#include <filesystem>
#include <fstream>
#include <map>
#include <set>

#include <cbir/base/error.hpp>
#include <cbir/base/file.hpp>
#include <cbir/base/parallel.hpp>
#include <cbir/base/text.hpp>
#include <tests/catch.hpp>
#include <tests/temporary.hpp>

namespace {

namespace fs = std::filesystem;

std::string write_picture(const std::string& path, int shade) {
  cbir::Image image(40, 30);
  for (std::size_t i = 0; i < image.data.size(); ++i)
    image.data[i] = static_cast<std::uint8_t>(i * static_cast<std::size_t>(shade) / 7);
  cbir::make_directories(cbir::parent_path(path));
  cbir::write_file(path, cbir::as_text(cbir::encode_jpeg(image, 95)), false);
  return path;
}

/// Twelve pictures in three folders.
std::vector<std::string> pictures(const std::string& folder) {
  std::vector<std::string> paths;
  for (int i = 0; i < 12; ++i)
    paths.push_back(write_picture(folder + "/class" + std::to_string(i % 3) + "/" + std::to_string(i) + ".jpg", i + 1));
  return paths;
}

/// Every file below a folder, by its name there.
std::map<std::string, std::string> content(const std::string& folder) {
  std::map<std::string, std::string> files;
  for (const auto& entry : fs::recursive_directory_iterator(folder))
    if (entry.is_regular_file())
      files[fs::relative(entry.path(), folder).string()] = cbir::read_text(entry.path().string());
  return files;
}

cbir::DoctorOptions options(const std::string& output) {
  return {.output = output,
          .seed = 7,
          .attacks = {cbir::parse_attack_chain("crop:strong"), cbir::parse_attack_chain("mirror")}};
}

}  // namespace

TEST_CASE("Copies lie in folders named as the originals', and the manifest tells whose they are") {
  const TemporaryFolder folder;
  const auto paths = pictures(folder / "in");
  const auto report = cbir::doctor(paths, options(folder / "out"));
  CHECK(report.pictures == 12);
  CHECK(report.copies == 12);
  const auto files = content(folder / "out");
  CHECK(files.size() == 13);
  CHECK(files.contains("class0/0.jpg.crop-strong.jpg"));
  CHECK(files.contains("class1/1.jpg.mirror.jpg"));
  CHECK(files.at("manifest.tsv").starts_with("class0/0.jpg.crop-strong.jpg\t" + paths[0] + "\tcrop:strong\t7\n"));
}

TEST_CASE("With every attack, each picture has as many copies") {
  const TemporaryFolder folder;
  auto all = options(folder / "out");
  all.every_attack = true;
  all.count = 5;
  const auto report = cbir::doctor(pictures(folder / "in"), all);
  CHECK(report.pictures == 5);
  CHECK(report.copies == 10);
}

TEST_CASE("The same seed gives the same bytes, on any number of threads and wherever the pictures lie") {
  const TemporaryFolder folder;
  const auto run = [&](const std::string& name, std::size_t threads, std::uint64_t seed) {
    const cbir::ThreadLimit limit(threads);
    auto chosen = options(folder / (name + "-out"));
    chosen.count = 6;
    chosen.seed = seed;
    cbir::doctor(pictures(folder / name), chosen);
    auto files = content(folder / (name + "-out"));
    files.erase("manifest.tsv");  // it names the originals, which lie elsewhere
    return files;
  };
  const auto first = run("a", 1, 7);
  CHECK(first.size() == 6);
  CHECK(first == run("b", 4, 7));
  CHECK(first != run("c", 1, 8));
}

TEST_CASE("A picture's copy does not depend on what else there is") {
  const TemporaryFolder folder;
  const auto paths = pictures(folder / "in");
  const auto one = [&](const std::vector<std::string>& from, const std::string& out) {
    auto chosen = options(folder / out);
    chosen.attacks.resize(1);
    cbir::doctor(from, chosen);
    return content(folder / out).at("class2/5.jpg.crop-strong.jpg");
  };
  CHECK(one(paths, "all") == one({paths[5]}, "alone"));
}

TEST_CASE("Distractors have no original, and are left out of the database") {
  const TemporaryFolder folder;
  const auto paths = pictures(folder / "in");
  auto chosen = options(folder / "out");
  chosen.count = 4;
  chosen.drawn_distractors = 3;
  const auto report = cbir::doctor(paths, chosen);
  CHECK(report.pictures == 7);
  CHECK(report.copies == 7);
  CHECK(report.distractors == 3);
  const auto files = content(folder / "out");
  std::set<std::string> without;
  for (const std::string_view line : cbir::split(files.at("manifest.tsv"), '\n')) {
    const auto fields = cbir::split(line, '\t');
    if (fields.size() == 4 && fields[1].empty())
      without.insert(std::string(fields[0].substr(0, fields[0].find(".jpg") + 4)));
  }
  CHECK(without.size() == 3);
  std::string database;
  for (const std::string& path : paths)
    if (!without.contains(path.substr((folder / "in/").size()))) database += path + "\n";
  CHECK(files.at("database.txt") == database);
}

TEST_CASE("A picture cannot be original and distractor") {
  const TemporaryFolder folder;
  const auto paths = pictures(folder / "in");
  auto chosen = options(folder / "out");
  chosen.distractors = {paths[5]};
  CHECK_THROWS_AS(cbir::doctor(paths, chosen), cbir::UsageError);
  chosen.distractors.clear();
  chosen.drawn_distractors = 12;
  CHECK_THROWS_AS(cbir::doctor(paths, chosen), cbir::UsageError);
  CHECK(!fs::exists(folder / "out"));
}

TEST_CASE("Originals of equal names have copies of different names") {
  const TemporaryFolder folder;
  const std::vector<std::string> paths{write_picture(folder / "x/cats/tom.jpg", 1),
                                       write_picture(folder / "y/cats/tom.jpg", 2),
                                       write_picture(folder / "z/cats/tom.jpg", 3)};
  auto chosen = options(folder / "out");
  chosen.attacks.resize(1);
  CHECK(cbir::doctor(paths, chosen).copies == 3);
  const auto files = content(folder / "out");
  CHECK(files.contains("cats/tom.jpg.crop-strong.jpg"));
  CHECK(files.contains("cats/tom.jpg~2.crop-strong.jpg"));
  CHECK(files.contains("cats/tom.jpg~3.crop-strong.jpg"));
}

TEST_CASE("Copies never leave their folder, however the originals are named") {
  const TemporaryFolder folder;
  write_picture(folder / "in/owl.jpg", 1);
  write_picture(folder / "in/sub/emu\n\xff.jpg", 2);
  write_picture(folder / ("in/" + std::string(250, 'n') + ".jpg"), 3);
  const auto report = cbir::doctor({folder / "in/sub/../owl.jpg", folder / "in/sub/emu\n\xff.jpg",
                                    folder / ("in/" + std::string(250, 'n') + ".jpg")},
                                   options(folder / "out"));
  CHECK(report.copies == 3);
  const auto files = content(folder / "out");
  CHECK(files.contains("owl.jpg.crop-strong.jpg"));
  CHECK(files.contains("sub/emu\n\xff.jpg.mirror.jpg"));
  CHECK(files.at("manifest.tsv").find("sub/emu\\n\\xff.jpg.mirror.jpg\t") != std::string::npos);
}

TEST_CASE("Nothing is overwritten without force, and nothing is written then") {
  const TemporaryFolder folder;
  const auto paths = pictures(folder / "in");
  auto chosen = options(folder / "out");
  cbir::doctor(paths, chosen);
  const auto before = content(folder / "out");
  fs::remove(folder / "out/manifest.tsv");
  fs::remove(folder / "out/class0/0.jpg.crop-strong.jpg");
  CHECK_THROWS_AS(cbir::doctor(paths, chosen), cbir::OutputError);
  CHECK(content(folder / "out").size() == before.size() - 2);
  chosen.force = true;
  cbir::doctor(paths, chosen);
  CHECK(content(folder / "out") == before);
}

TEST_CASE("Copies of an earlier run that stay are counted") {
  const TemporaryFolder folder;
  const auto paths = pictures(folder / "in");
  auto chosen = options(folder / "out");
  cbir::doctor(paths, chosen);
  chosen.force = true;
  chosen.attacks = {cbir::parse_attack_chain("crop:strong")};
  CHECK(cbir::doctor(paths, chosen).stale == 6);  // those that were mirrored
}

TEST_CASE("Unreadable pictures are skipped and named") {
  const TemporaryFolder folder;
  auto paths = pictures(folder / "in");
  cbir::write_file(folder / "in/class0/torn.jpg", cbir::read_text(paths[0]).substr(0, 300), false);
  paths.insert(paths.begin(), {folder / "in/class0/torn.jpg", folder / "in/gone.jpg"});
  const auto report = cbir::doctor(paths, options(folder / "out"));
  CHECK(report.copies == 12);
  REQUIRE(report.failed.size() == 2);
  CHECK(report.failed[0].starts_with(paths[0] + ": "));
  CHECK(report.failed[1].starts_with(paths[1] + ": "));
  CHECK_THROWS_AS(cbir::doctor({paths[0]}, options(folder / "none")), cbir::MissingInput);
  CHECK(!fs::exists(folder / "none"));
  CHECK_THROWS_AS(cbir::doctor({}, options(folder / "none")), cbir::MissingInput);
}
