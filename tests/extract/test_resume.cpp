/// A run that was stopped, wherever that was, goes on and ends with the bytes of an undisturbed one.

#include <filesystem>
#include <functional>

#include <cbir/base/error.hpp>
#include <cbir/extract/extract.hpp>
#include <tests/catch.hpp>
#include <tests/extract/fake.hpp>

using namespace cbir;

namespace {

struct Stopped : std::exception {};

/// 22 items in batches of 4, some of them bad.
struct Run {
  Run() : pictures(20) {
    pictures.write("a/bad.jpg", "text");
    pictures.write("b/bad.jpg", jpeg(3).substr(0, 50));
    extract(pictures.list(), fake_choice(), pictures.options("whole"));
    expected = pictures.content("whole");
  }
  ExtractReport go(const ExtractProgress& progress = {}) const {
    return extract(pictures.list(), fake_choice(), pictures.options(), progress);
  }
  void stop_after(std::uint64_t items) const {
    CHECK_THROWS_AS(go([&](std::uint64_t done, std::uint64_t) {
                      if (done >= items) throw Stopped();
                    }),
                    Stopped);
  }
  /// Removes the set and its state, for another attempt over the same pictures.
  void reset() const {
    const SetPaths paths = set_paths(pictures.options().output);
    for (const std::string& path : {paths.npy, paths.rows, paths.manifest, paths.failed, paths.state})
      std::filesystem::remove_all(path);
  }
  std::string state(const std::string& name) const { return set_paths(pictures.options().output).state + "/" + name; }
  void change(const std::string& name, const std::function<void(std::string&)>& how) const {
    std::string content = read_text(state(name));
    how(content);
    write_file(state(name), content, true);
  }
  Pictures pictures;
  std::string expected;
};

}  // namespace

TEST_CASE("a run stopped at any batch goes on to the same bytes") {
  const Run run;
  for (std::uint64_t stop = 4; stop <= 24; stop += 4) {
    run.stop_after(std::min<std::uint64_t>(stop, 22));
    CHECK_FALSE(exists(set_paths(run.pictures.options().output).manifest));
    const ExtractReport report = run.go();
    CHECK(report.resumed >= std::min<std::uint64_t>(stop, 22));
    CHECK(report.rows == 20);
    CHECK(report.failed == 2);
    CHECK(run.pictures.content() == run.expected);
    for (const auto* part : {"journal", "vectors.npy", "rows.jsonl", "failed.jsonl"})
      CHECK_FALSE(exists(run.state(part)));
    CHECK(run.go().nothing_to_do);
    run.reset();
  }
}

TEST_CASE("a run stopped again and again gets done") {
  const Run run;
  for (std::uint64_t stop = 4; stop < 22; stop += 4) run.stop_after(stop);
  run.go();
  CHECK(run.pictures.content() == run.expected);
}

TEST_CASE("torn writes are noticed; the run falls back to what is sound") {
  using Change = std::function<void(std::string&)>;
  const std::vector<std::pair<std::string, Change>> changes = {
      {"cut short", [](std::string& s) { s.resize(s.size() - std::min<std::size_t>(s.size(), 3)); }},
      {"cut by more than a batch", [](std::string& s) { s.resize(s.size() / 3); }},
      {"empty", [](std::string& s) { s.clear(); }},
      {"longer", [](std::string& s) { s += "half a rec"; }},
      {"last byte flipped",
       [](std::string& s) {
         if (!s.empty()) s.back() = static_cast<char>(s.back() ^ 4);
       }},
      {"middle byte flipped",
       [](std::string& s) {
         if (!s.empty()) s[s.size() / 2] = static_cast<char>(s[s.size() / 2] ^ 4);
       }},
      {"zeros",
       [](std::string& s) { std::fill(s.begin() + static_cast<std::ptrdiff_t>(s.size() / 2), s.end(), '\0'); }},
  };
  const Run run;
  for (const std::string part : {"vectors.npy", "rows.jsonl", "failed.jsonl", "inputs", "journal"})
    for (const auto& [name, change] : changes) {
      INFO(part << " " << name);
      run.reset();
      run.stop_after(12);
      run.change(part, change);
      run.go();
      CHECK(run.pictures.content() == run.expected);
    }
}

TEST_CASE("a lost file of the state costs what it held, nothing else") {
  const Run run;
  for (const std::string part : {"vectors.npy", "rows.jsonl", "failed.jsonl", "inputs"}) {
    run.reset();
    run.stop_after(12);
    std::filesystem::remove(run.state(part));
    run.go();
    CHECK(run.pictures.content() == run.expected);
  }
}

TEST_CASE("a run stopped while its files are put in place ends well") {
  const std::vector<std::string> order = {"failed.jsonl", "rows.jsonl", "vectors.npy"};
  const Run run;
  for (std::size_t moved = 0; moved <= order.size() + 1; ++moved) {
    INFO(moved << " moved");
    run.reset();
    run.stop_after(22);
    const SetPaths paths = set_paths(run.pictures.options().output);
    const std::vector<std::string> places = {paths.failed, paths.rows, paths.npy};
    for (std::size_t i = 0; i < std::min(moved, order.size()); ++i)
      std::filesystem::rename(run.state(order[i]), places[i]);
    if (moved > order.size())
      write_file(paths.manifest, read_text(set_paths(run.pictures.folder / "whole").manifest), false);
    const ExtractReport report = run.go();
    CHECK(report.resumed == 22);
    CHECK(run.pictures.content() == run.expected);
  }
}

TEST_CASE("a picture that changed since the stop is extracted anew") {
  const Run run;
  run.stop_after(16);
  run.pictures.write("a/5.jpg", jpeg(99));
  const ExtractReport report = run.go();
  CHECK(report.resumed == 0);  // it is among the first four
  extract(run.pictures.list(), fake_choice(), run.pictures.options("fresh"));
  CHECK(run.pictures.content() == run.pictures.content("fresh"));
}

TEST_CASE("a stopped run goes on only with the same arguments, or is dropped") {
  const Run run;
  run.stop_after(8);
  ExtractOptions other = run.pictures.options();
  other.dtype = Dtype::float16;
  CHECK_THROWS_AS(extract(run.pictures.list(), fake_choice(), other), Incompatible);
  CHECK_THROWS_WITH(extract(run.pictures.list(), fake_choice(), other),
                    ContainsSubstring("its dtype was float32, not float16") && ContainsSubstring("--force"));
  run.pictures.write("a/new.jpg", jpeg(1));
  CHECK_THROWS_WITH(run.go(), ContainsSubstring("the list of files is another"));
  std::filesystem::remove(run.pictures.root + "/a/new.jpg");
  other.force = true;
  CHECK(extract(run.pictures.list(), fake_choice(), other).resumed == 0);
  CHECK(EmbeddingSet::open(other.output).matrix().dtype() == Dtype::float16);
}

TEST_CASE("a set stays whole until the one that replaces it is finished") {
  const Run run;
  run.go();
  ExtractOptions force = run.pictures.options();
  force.force = true;
  force.dtype = Dtype::float16;
  const auto stop = [](std::uint64_t done, std::uint64_t) {
    if (done >= 8) throw Stopped();
  };
  CHECK_THROWS_AS(extract(run.pictures.list(), fake_choice(), force, stop), Stopped);
  CHECK(EmbeddingSet::open(force.output).matrix().dtype() == Dtype::float32);
  CHECK(run.pictures.content() == run.expected);

  force.force = false;  // the run that was to replace it goes on, and still does
  CHECK(extract(run.pictures.list(), fake_choice(), force).resumed >= 8);
  CHECK(EmbeddingSet::open(force.output).matrix().dtype() == Dtype::float16);
}
