/// A run that was stopped, wherever that was, goes on and ends with the bytes of an undisturbed one.

#include <atomic>
#include <chrono>
#include <filesystem>
#include <functional>
#include <thread>

#include <cbir/base/error.hpp>
#include <cbir/base/parallel.hpp>
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

namespace {

/// Counts its calls, of which one waits until three batches that stand behind its own are kept, and then fails.
struct Stumbling : FakeEncoder {
  Stumbling(std::string folder, std::atomic<int>& counter, int at)
      : kept(std::move(folder)), calls(counter), stumbles(at) {}
  void encode(std::span<const Image> pictures, MatrixView<float> out) const override {
    if (++calls == stumbles) {
      while (number_of_files(kept) < 3) std::this_thread::sleep_for(std::chrono::milliseconds(1));
      throw Stopped();
    }
    FakeEncoder::encode(pictures, out);
  }
  static std::size_t number_of_files(const std::string& folder) {
    std::error_code error;
    std::size_t files = 0;
    for (const auto& entry : std::filesystem::directory_iterator(folder, error))
      files += entry.file_size(error) > 0 ? 1 : 0;
    return files;
  }
  std::string kept;
  std::atomic<int>& calls;
  int stumbles;
};

/// A run on two threads whose first call of the encoder fails; how often it was called.
int stumble(const Run& run, int stumbles) {
  const ThreadLimit two(2);
  std::atomic<int> calls = 0;
  EncoderChoice choice = fake_choice();
  choice.open = [&] { return std::make_unique<Stumbling>(run.state("early"), calls, stumbles); };
  const auto go = [&] { extract(run.pictures.list(), choice, run.pictures.options()); };
  if (stumbles > 0) CHECK_THROWS_AS(go(), Stopped);
  else go();
  return calls;
}

constexpr int kBatches = 6;

}  // namespace

TEST_CASE("what was finished before its turn is not done twice") {
  const Run run;
  const int before = stumble(run, 1), after = stumble(run, 0);
  CHECK(before + after == kBatches + 1);  // the one that failed
  CHECK(run.pictures.content() == run.expected);
  CHECK_FALSE(exists(run.state("early")));
}

TEST_CASE("a kept batch that is damaged, or of another picture, is done again") {
  const Run run;
  for (const std::string how : {"cut", "flip", "empty", "changed"}) {
    INFO(how);
    run.reset();
    stumble(run, 1);
    for (const auto& entry : std::filesystem::directory_iterator(run.state("early"))) {
      std::string content = read_text(entry.path().string());
      if (how == "cut") content.resize(content.size() - 1);
      if (how == "flip") content[content.size() / 2] = static_cast<char>(content[content.size() / 2] ^ 4);
      if (how == "empty") content.clear();
      write_file(entry.path().string(), content, true);
    }
    if (how == "changed") run.pictures.write("a/13.jpg", jpeg(98));  // of the third batch
    const int calls = stumble(run, 0);
    if (how != "changed") {
      CHECK(calls >= kBatches - 1);  // one may have been recorded
      CHECK(run.pictures.content() == run.expected);
    } else {
      extract(run.pictures.list(), fake_choice(), run.pictures.options("fresh"));
      CHECK(run.pictures.content() == run.pictures.content("fresh"));
    }
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
  const ThreadLimit one(1);  // which finishes nothing before its turn
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
