#include <cbir/extract/boxes.hpp>

#include <algorithm>

#include <cbir/base/error.hpp>
#include <cbir/base/parallel.hpp>
#include <cbir/base/text.hpp>
#include <tests/catch.hpp>
#include <tests/extract/fake.hpp>

using namespace cbir;
using namespace std::string_literals;

namespace {

/// A JPEG of 64 x 64, each quarter of one colour.
std::string quarters() {
  Image image(64, 64);
  for (int y = 0; y < 64; ++y)
    for (int x = 0; x < 64; ++x) {
      std::uint8_t* pixel = image.row(y) + x * 3;
      pixel[0] = x < 32 ? 200 : 20;
      pixel[1] = y < 32 ? 100 : 10;
    }
  return std::string(as_text(encode_jpeg(image, 100)));
}

}  // namespace

TEST_CASE("corners are rounded as Pillow's crop rounds them") {
  CHECK(pixels_of({136.5, 34.1, 648.5, 955.7}, 1024, 1024) == PixelBox{136, 34, 648, 956});
  CHECK(pixels_of({137.5, 0.4, 649.5, 0.6}, 1024, 1024) == PixelBox{138, 0, 650, 1});
  CHECK(pixels_of({0, 0, 16, 12}, 16, 12) == PixelBox{0, 0, 16, 12});
}

TEST_CASE("what lies outside the picture is cut off") {
  CHECK(pixels_of({-5, -1e300, 8, 1e300}, 16, 12) == PixelBox{0, 0, 8, 12});
  for (const Box& none : {Box{16, 0, 20, 5}, Box{-9, 0, 0.5, 5}, Box{5, 5, 5.4, 9}, Box{9, 2, 3, 8}, Box{3, 8, 9, 2}})
    CHECK_FALSE(pixels_of(none, 16, 12).has_value());
}

TEST_CASE("the lines of a file of boxes") {
  const Pictures pictures(3);
  const std::string text =
      "one\tb/0.jpg\t1\t2.5\t3e0\t4\tmore\tcolumns\r\n"
      "\n"
      "t\\two\ta/1\t-1\t0\t7.25\t8\n"
      "three\t/elsewhere/x\t0\t0\t1\t1\n"
      "four\ta/none.png\t0\t0\t1\t1";
  const Listing listing = parse_boxes(text, "x.tsv", pictures.root);
  REQUIRE(listing.files.size() == 4);
  CHECK(listing.files[0].path == pictures.root + "/b/0.jpg");
  CHECK(listing.files[0].id == "one");
  CHECK(listing.files[0].box == Box{1, 2.5, 3, 4});
  CHECK(listing.files[0].named);
  CHECK(listing.files[1].path == pictures.root + "/a/1.jpg");
  CHECK(listing.files[1].name() == "t\two");
  CHECK(listing.files[2].path == "/elsewhere/x");
  CHECK(listing.files[3].path == pictures.root + "/a/none.png");
  CHECK(parse_boxes("i\tq\t0\t0\t1\t1\n", "x.tsv", "").files[0].path == "q");
}

TEST_CASE("a name without an extension stands for the file that has one") {
  const Pictures pictures(0);
  for (const auto* name : {"a/p.jpeg", "a/p.png", "a/q.JPG", "a/r.v2.jpg", "a/plain"}) pictures.write(name, jpeg(1));
  const auto path = [&](const std::string& name) {
    return parse_boxes("i\ta/" + name + "\t0\t0\t1\t1\n", "x.tsv", pictures.root)
        .files[0]
        .path.substr(pictures.root.size());
  };
  CHECK(path("p") == "/a/p.jpeg");
  CHECK(path("q") == "/a/q.JPG");
  CHECK(path("r.v2") == "/a/r.v2.jpg");
  CHECK(path("plain") == "/a/plain");
  CHECK(path("p.jpg") == "/a/p.jpg");  // has one, and is not there
}

TEST_CASE("a file of boxes that makes no sense is refused by line") {
  const auto refused = [](const std::string& text, const std::string& what) {
    CHECK_THROWS_AS(parse_boxes(text, "x.tsv", ""), DamagedFile);
    CHECK_THROWS_WITH(parse_boxes(text, "x.tsv", ""), ContainsSubstring(what));
  };
  refused("a\tb\t1\t2\t3\n", "x.tsv, line 1: found 5 columns; expected id, path, x1, y1, x2, y2");
  refused("a\tb\t1\t2\t3\t4\nc\td\t1\t2\t3\tx\n", "line 2: found 'x' where a number of pixels belongs");
  refused("a\tb\t1\t2\t3\tnan\n", "'nan'");
  refused("a\tb\t1\t2\t3\tinf\n", "'inf'");
  refused("a\tb\t1\t2\t3\t4\na\tc\t1\t2\t3\t4\n", "the id a stands twice");
  refused("\tb\t1\t2\t3\t4\n", "empty");
  CHECK_THROWS_AS(parse_boxes("\n\n", "x.tsv", ""), MissingInput);
}

TEST_CASE("a row is what lies in its box") {
  const Pictures pictures(0);
  pictures.write("a/four.jpg", quarters());
  const auto rows = [&](const std::string& text) {
    ExtractOptions options = pictures.options();
    options.force = true;
    extract(parse_boxes(text, "x.tsv", pictures.root), fake_choice(), options);
    return EmbeddingSet::open(options.output);
  };
  // The same corner of the picture, however its box is written, and a part beyond the edge, which is cut off.
  const EmbeddingSet set = rows(
      "corner\ta/four.jpg\t32\t32\t64\t64\n"
      "same\ta/four\t31.6\t32.4\t99\t99\n"
      "other\ta/four.jpg\t0\t0\t32\t32\n"
      "whole\ta/four.jpg\t0\t0\t64\t64\n");
  REQUIRE(set.rows() == 4);
  CHECK(vector_of(set, 0) == vector_of(set, 1));
  CHECK(vector_of(set, 0) != vector_of(set, 2));
  CHECK(vector_of(set, 2)[0] ==
        Approx(200.0 * 16 / 4096).epsilon(.02));  // one colour, in each quarter of what the network sees
  CHECK(vector_of(set, 2)[3] == Approx(200.0 * 16 / 4096).epsilon(.02));
  CHECK(vector_of(set, 3)[3] == Approx(20.0 * 16 / 4096).epsilon(.2));
  const RowInfo row = set.row(1);
  CHECK(row.path == "same");
  CHECK(row.picture == pictures.root + "/a/four.jpg");
  CHECK(row.box == RowBox{32, 32, 64, 64});
  CHECK(row.width == 64);
  CHECK(row.height == 64);
  CHECK(row.label == "a");
  CHECK(row.seq == 1);
  CHECK(row.bytes == quarters().size());
}

TEST_CASE("a box that holds nothing, or whose picture is not there, is a failure of that row") {
  const Pictures pictures(4);
  const Listing listing = parse_boxes(
      "good\tb/0.jpg\t0\t0\t9\t9\n"
      "outside\tb/0.jpg\t20\t0\t30\t9\n"
      "gone\tb/gone\t0\t0\t9\t9\n"
      "again\ta/1.jpg\t2\t2\t9\t9\n",
      "x.tsv", pictures.root);
  const ExtractReport report = extract(listing, fake_choice(), pictures.options());
  CHECK(report.rows == 2);
  CHECK(report.failed == 2);
  const std::vector<FailedItem> failed = failures(pictures.options().output);
  REQUIRE(failed.size() == 2);
  CHECK(failed[0] ==
        FailedItem{.path = "outside",
                   .seq = 1,
                   .stage = "crop",
                   .reason = pictures.root +
                             "/b/0.jpg: the box from (20, 0) to (30, 9) holds no pixel of the picture, 16 x 12"});
  CHECK(failed[1].path == "gone");
  CHECK(failed[1].stage == "read");
  CHECK_THAT(failed[1].reason, StartsWith(pictures.root + "/b/gone: "));
  CHECK(EmbeddingSet::open(pictures.options().output).row(1).seq == 3);
}

TEST_CASE("boxes that changed are another list, and a run over boxes goes on where it stopped") {
  const Pictures pictures(10);
  std::string text;
  for (int i = 0; i < 20; ++i)
    text += "q" + std::to_string(i) + "\t" + (i / 2 % 3 ? "a/" : "b/") + std::to_string(i / 2) + "\t" +
            std::to_string(i % 2) + "\t0\t12\t" + std::to_string(5 + i % 7) + "\n";
  const Listing listing = parse_boxes(text, "x.tsv", pictures.root);
  extract(listing, fake_choice(), pictures.options("whole"));
  struct Stopped : std::exception {};
  CHECK_THROWS_AS(extract(listing, fake_choice(), pictures.options(),
                          [](std::uint64_t done, std::uint64_t) {
                            if (done >= 8) throw Stopped();
                          }),
                  Stopped);
  CHECK(extract(listing, fake_choice(), pictures.options()).resumed >= 8);
  CHECK(pictures.content() == pictures.content("whole"));
  CHECK(extract(listing, fake_choice(), pictures.options()).nothing_to_do);

  for (const auto& [from, to] : {std::pair("q7\t"s, "seven\t"s), std::pair("\t11\n"s, "\t10\n"s)}) {
    std::string other = text;
    other.replace(other.find(from), from.size(), to);
    CHECK_THROWS_WITH(extract(parse_boxes(other, "x.tsv", pictures.root), fake_choice(), pictures.options()),
                      ContainsSubstring("the list of files is another"));
  }
}

TEST_CASE("labels of boxes are looked up by their ids") {
  const Pictures pictures(1);
  ExtractOptions options = pictures.options();
  options.label = pictures.folder / "labels.tsv";
  write_file(options.label, "q1\tall souls\nq2\tradcliffe\n", true);
  extract(parse_boxes("q1\tb/0\t0\t0\t9\t9\nq2\tb/0\t1\t1\t9\t9\n", "x.tsv", pictures.root), fake_choice(), options);
  CHECK(EmbeddingSet::open(options.output).row(0).label == "all souls");
  CHECK(EmbeddingSet::open(options.output).row(1).label == "radcliffe");
}
