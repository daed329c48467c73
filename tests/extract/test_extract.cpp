#include <cbir/extract/extract.hpp>

#include <filesystem>
#include <optional>

#include <cbir/base/error.hpp>
#include <cbir/base/hash.hpp>
#include <cbir/base/parallel.hpp>
#include <cbir/extract/picture.hpp>
#include <tests/catch.hpp>
#include <tests/extract/fake.hpp>

using namespace cbir;
using namespace std::string_literals;

TEST_CASE("pictures become rows in the order of the list") {
  const Pictures pictures(10);
  const ExtractReport report = extract(pictures.list(), fake_choice(), pictures.options());
  CHECK(report.rows == 10);
  CHECK(report.failed == 0);
  CHECK_FALSE(report.nothing_to_do);
  const EmbeddingSet set = EmbeddingSet::open(pictures.options().output);
  REQUIRE(set.manifest().has_value());
  CHECK(set.manifest()->encoder == "fake");
  CHECK(set.manifest()->fingerprint == std::string(64, 'f'));
  CHECK(set.manifest()->preset == R"({"name":"fake"})");
  CHECK(set.dim() == 13);
  const RowInfo row = set.row(0);
  CHECK(row.path == pictures.root + "/a/1.jpg");
  CHECK(row.label == "a");
  CHECK(row.seq == 0);
  CHECK(row.bytes == jpeg(1).size());
  CHECK(row.width == 16);
  CHECK(row.height == 12);
  CHECK(row.xxh3 == hex(xxh3(as_bytes(jpeg(1)))));
  CHECK(row.mtime.value() > 1'600'000'000'000'000'000);
  CHECK(set.row(6).path == pictures.root + "/b/0.jpg");
  CHECK(vector_of(set, 0) != vector_of(set, 1));
  CHECK(vector_of(set, 9)[12] == 4);  // the last batch of 2 was filled up to 4
  CHECK(read_text(set_paths(set.name()).failed).empty());
}

TEST_CASE("the bytes do not depend on the number of threads") {
  const Pictures pictures(50);
  pictures.write("a/broken.jpg", "\xff\xd8\xff");
  std::optional<std::string> expected;
  for (const std::size_t threads : {1, 2, 4, 7}) {
    const ThreadLimit limit(threads);
    const std::string name = "set" + std::to_string(threads);
    extract(pictures.list(), fake_choice(), pictures.options(name));
    if (!expected) expected = pictures.content(name);
    CHECK(pictures.content(name) == *expected);
  }
}

TEST_CASE("decoders in processes of their own change no byte") {
  const Pictures pictures(30);
  pictures.write("a/broken.jpg", jpeg(3).substr(0, 200));
  pictures.write("a/text.jpg", "a text");
  pictures.write("a/narrow.jpg", jpeg(5, 3000, 1));
  extract(pictures.list(), fake_choice(), pictures.options("here"));
  const auto decoders = make_decoders(std::chrono::seconds(60));
  ExtractOptions options = pictures.options("elsewhere");
  options.decode.decoders = decoders.get();
  extract(pictures.list(), fake_choice(), options);
  CHECK(pictures.content("elsewhere") == pictures.content("here"));
  CHECK(decoders->peak_memory() > 0);
  CHECK(failures(options.output).size() == 2);
}

TEST_CASE("a bad picture is skipped, listed, and shifts nothing") {
  const Pictures good(9);
  extract(good.list(), fake_choice(), good.options());
  const EmbeddingSet alone = EmbeddingSet::open(good.options().output);

  const Pictures mixed(9);
  mixed.write("a/2.jpg", jpeg(2).substr(0, 40));
  mixed.write("a/5.jpg", "");
  mixed.write("a/8.jpg", "a text");
  const ExtractReport report = extract(mixed.list(), fake_choice(), mixed.options());
  CHECK(report.rows == 6);
  CHECK(report.failed == 3);
  const auto failed = failures(mixed.options().output);
  REQUIRE(failed.size() == 3);
  CHECK(report.first_failure == failed[0]);
  CHECK(failed[0].path == mixed.root + "/a/2.jpg");
  CHECK(failed[0].seq == 1);
  CHECK(failed[0].stage == "decode");
  CHECK_FALSE(failed[0].reason.empty());
  CHECK(failed[1] ==
        FailedItem{.path = mixed.root + "/a/5.jpg", .seq = 3, .stage = "read", .reason = "the file is empty"});
  CHECK(failed[2].stage == "decode");

  const EmbeddingSet set = EmbeddingSet::open(mixed.options().output);
  CHECK(set.manifest()->failed == 3);
  for (std::size_t i = 0; i < set.rows(); ++i)
    CHECK(vector_of(set, i) == vector_of(alone, static_cast<std::size_t>(set.row(i).seq.value())));
}

TEST_CASE("what is named explicitly must be a picture") {
  const Pictures pictures(2);
  pictures.write("notes.txt", "a text");
  const std::string list =
      pictures.root + "/b/0.jpg\n" + pictures.root + "/notes.txt\n" + pictures.root + "\n/dev/zero\nmissing.jpg\n";
  const ExtractReport report = extract(list_lines(list, '\n'), fake_choice(), pictures.options());
  CHECK(report.rows == 1);
  const auto failed = failures(pictures.options().output);
  REQUIRE(failed.size() == 4);
  CHECK(failed[0].stage == "decode");
  CHECK(failed[1].reason == "a regular file was expected, found a folder");
  CHECK(failed[2].reason == "a regular file was expected, found a device");
  CHECK(failed[3].reason == "cannot be examined: No such file or directory");
}

TEST_CASE("names with newlines and bytes that are not UTF-8 go through") {
  const Pictures pictures(0);
  pictures.write("a/new\nline.jpg", jpeg(1));
  pictures.write("b/\xff\xfe.jpg", jpeg(2));
  pictures.write("b/bad\xff.jpg", "text");
  extract(pictures.list(), fake_choice(), pictures.options());
  const EmbeddingSet set = EmbeddingSet::open(pictures.options().output);
  REQUIRE(set.rows() == 2);
  CHECK(set.row(0).path == pictures.root + "/a/new\nline.jpg");
  CHECK(set.row(1).path == pictures.root + "/b/\xff\xfe.jpg");
  CHECK(failures(set.name())[0].path == pictures.root + "/b/bad\xff.jpg");
}

TEST_CASE("labels come from folders, from a TSV, or not at all") {
  const Pictures pictures(3);
  ExtractOptions options = pictures.options("none");
  options.label = "none";
  extract(pictures.list(), fake_choice(), options);
  CHECK_FALSE(EmbeddingSet::open(options.output).row(0).label.has_value());

  options = pictures.options("tsv");
  options.label = pictures.folder / "labels.tsv";
  write_file(options.label, "0.jpg\tzero\n1.jpg\tone\n", true);
  CHECK_THROWS_AS(extract(pictures.list(), fake_choice(), options), Incompatible);  // 2.jpg has none
  write_file(options.label, "0.jpg\tzero\n1.jpg\tone\na/2.jpg\ttwo\n", true);
  extract(pictures.list(), fake_choice(), options);
  const EmbeddingSet set = EmbeddingSet::open(options.output);
  CHECK(set.row(0).label == "one");
  CHECK(set.row(1).label == "two");
  CHECK(set.row(2).label == "zero");
}

TEST_CASE("half precision is half the bytes") {
  const Pictures pictures(5);
  ExtractOptions options = pictures.options();
  options.dtype = Dtype::float16;
  extract(pictures.list(), fake_choice(), options);
  const EmbeddingSet set = EmbeddingSet::open(options.output);
  CHECK(set.matrix().dtype() == Dtype::float16);
  CHECK(set.matrix().bytes().size() == 128 + 5 * 13 * 2);
  CHECK(vector_of(set, 0)[12] == 4);
}

TEST_CASE("a second run over unchanged files does nothing, not even open the encoder") {
  const Pictures pictures(6);
  pictures.write("a/bad.jpg", "text");
  extract(pictures.list(), fake_choice(), pictures.options());
  const std::string before = pictures.content();
  int opened = 0;
  const ExtractReport again = extract(pictures.list(), fake_choice(&opened), pictures.options());
  CHECK(again.nothing_to_do);
  CHECK(again.rows == 6);
  CHECK(again.failed == 1);
  CHECK(again.first_failure->path == pictures.root + "/a/bad.jpg");
  CHECK(opened == 0);
  CHECK(pictures.content() == before);
}

TEST_CASE("a finished set is replaced only if that was asked for") {
  const Pictures pictures(6);
  extract(pictures.list(), fake_choice(), pictures.options());
  const std::string before = pictures.content();
  const auto refused = [&](const Listing& listing, const ExtractOptions& options) {
    CHECK_THROWS_AS(extract(listing, fake_choice(), options), OutputError);
    CHECK_THROWS_WITH(extract(listing, fake_choice(), options), ContainsSubstring("--force"));
    CHECK(pictures.content() == before);
  };
  ExtractOptions other = pictures.options();
  other.batch = 5;
  refused(pictures.list(), other);
  CHECK_THROWS_WITH(extract(pictures.list(), fake_choice(), other), ContainsSubstring("its batch was 4, not 5"));
  pictures.write("a/1.jpg", jpeg(77));
  refused(pictures.list(), pictures.options());
  CHECK_THROWS_WITH(extract(pictures.list(), fake_choice(), pictures.options()),
                    ContainsSubstring("a/1.jpg was changed"));
  pictures.write("a/100.jpg", jpeg(100));
  refused(pictures.list(), pictures.options());

  ExtractOptions force = pictures.options();
  force.force = true;
  CHECK(extract(pictures.list(), fake_choice(), force).rows == 7);
  CHECK(extract(pictures.list(), fake_choice(), pictures.options()).nothing_to_do);
}

TEST_CASE("files of somebody else's are not overwritten") {
  for (const std::string suffix : {".npy", ".json", ".rows.jsonl", ".failed.jsonl"}) {
    const Pictures pictures(3);
    write_file(pictures.options().output + suffix, "theirs", false);
    CHECK_THROWS_AS(extract(pictures.list(), fake_choice(), pictures.options()), OutputError);
    CHECK(read_text(pictures.options().output + suffix) == "theirs");
    ExtractOptions force = pictures.options();
    force.force = true;
    CHECK(extract(pictures.list(), fake_choice(), force).rows == 3);
    CHECK(EmbeddingSet::open(force.output).rows() == 3);
  }
}

TEST_CASE("a set that was damaged is not taken for done") {
  const Pictures pictures(6);
  extract(pictures.list(), fake_choice(), pictures.options());
  const std::string npy = set_paths(pictures.options().output).npy;
  std::string bytes = read_text(npy);
  bytes[200] = static_cast<char>(bytes[200] ^ 1);
  write_file(npy, bytes, true);
  CHECK_THROWS_AS(extract(pictures.list(), fake_choice(), pictures.options()), DamagedFile);
}

TEST_CASE("too many failures end a run without a result") {
  const Pictures pictures(20);
  for (const auto* bad : {"a/1.jpg", "a/4.jpg", "b/3.jpg"}) pictures.write(bad, "text");
  const auto run = [&](const std::string& limit) {
    ExtractOptions options = pictures.options("set" + limit);
    options.max_failures = parse_failure_limit(limit);
    return extract(pictures.list(), fake_choice(), options);
  };
  CHECK_THROWS_AS(run("2"), MissingInput);
  CHECK_THROWS_WITH(run("1"), ContainsSubstring("2 of 20 items failed") && ContainsSubstring("a/1.jpg: decode: "));
  CHECK_FALSE(exists(set_paths(pictures.folder / "set1").npy));
  CHECK_FALSE(exists(set_paths(pictures.folder / "set1").manifest));
  CHECK(run("3").failed == 3);
  CHECK(run("15%").failed == 3);
  CHECK_THROWS_AS(run("14.9%"), MissingInput);

  ExtractOptions more = pictures.options("set2");  // with a higher limit the same run goes on
  CHECK(extract(pictures.list(), fake_choice(), more).resumed > 0);
}

TEST_CASE("limits of failures are numbers or shares") {
  CHECK(parse_failure_limit("12").count == 12);
  CHECK(parse_failure_limit("0").count == 0);
  CHECK(parse_failure_limit("5%").fraction == Approx(0.05));
  for (const auto* bad : {"", "%", "x", "-1", "5 %", "101%", "nan%"})
    CHECK_THROWS_AS(parse_failure_limit(bad), UsageError);
}

TEST_CASE("a run of failures alone is an error") {
  const Pictures pictures(0);
  pictures.write("a/1.jpg", "text");
  pictures.write("a/2.jpg", "");
  CHECK_THROWS_AS(extract(pictures.list(), fake_choice(), pictures.options()), MissingInput);
  CHECK_FALSE(exists(set_paths(pictures.options().output).manifest));
  CHECK_THROWS_AS(extract({}, fake_choice(), pictures.options()), MissingInput);
}

TEST_CASE("an encoder that fails ends the run") {
  struct Broken : FakeEncoder {
    void encode(std::span<const Image>, MatrixView<float>) const override { throw DamagedFile("NaN"); }
  };
  const Pictures pictures(9);
  EncoderChoice choice = fake_choice();
  choice.open = [] { return std::make_unique<Broken>(); };
  CHECK_THROWS_AS(extract(pictures.list(), choice, pictures.options()), DamagedFile);
  CHECK_FALSE(exists(set_paths(pictures.options().output).npy));
}

TEST_CASE("one run at a time works on a set") {
  const Pictures pictures(5);
  const auto inside = [&](std::uint64_t, std::uint64_t) {
    CHECK_THROWS_AS(extract(pictures.list(), fake_choice(), pictures.options()), Locked);
  };
  CHECK(extract(pictures.list(), fake_choice(), pictures.options(), inside).rows == 5);
}

TEST_CASE("options that make no sense are refused") {
  const Pictures pictures(1);
  ExtractOptions options = pictures.options();
  options.batch = 0;
  CHECK_THROWS_AS(extract(pictures.list(), fake_choice(), options), UsageError);
  for (const std::string name : {"", "/", "folder/"}) {
    options = pictures.options();
    options.output = name.empty() ? "" : pictures.folder / name;
    CHECK_THROWS_AS(extract(pictures.list(), fake_choice(), options), UsageError);
  }
}
