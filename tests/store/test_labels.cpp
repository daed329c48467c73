#include <cbir/store/labels.hpp>

#include <cbir/base/error.hpp>
#include <cbir/base/file.hpp>
#include <tests/catch.hpp>
#include <tests/temporary.hpp>

using namespace cbir;

namespace {
LabelTable table(const TemporaryFolder& folder, const std::string& content) {
  write_file(folder / "labels.tsv", content, true);
  return LabelTable(folder / "labels.tsv");
}
}  // namespace

TEST_CASE("the parent folder's name is a label") {
  CHECK(parent_label("a/b/c.jpg") == "b");
  CHECK(parent_label("/a/c.jpg") == "a");
  CHECK(parent_label("a//c.jpg") == "a");
  CHECK(parent_label("a/./c.jpg") == "a");
  for (const auto* path : {"c.jpg", "/c.jpg", "./c.jpg", "../c.jpg", "a/../c.jpg", ""})
    CHECK_FALSE(parent_label(path).has_value());
}

TEST_CASE("a path of the TSV matches whole trailing components") {
  const TemporaryFolder folder;
  const LabelTable labels = table(
      folder,
      "val_0.JPEG\tn03444034\t0\t32\t44\t62\nimages/1.jpg\tdog\n./b.jpg\tcat\r\n\n/abs/c.jpg\tcow\nt\\tab\\xff\tx\\ny");
  CHECK(labels.label_of("val/images/val_0.JPEG") == "n03444034");
  CHECK(labels.label_of("val_0.JPEG") == "n03444034");
  CHECK(labels.label_of("images/1.jpg") == "dog");
  CHECK(labels.label_of("b.jpg") == "cat");
  CHECK(labels.label_of("/abs/c.jpg") == "cow");
  CHECK(labels.label_of("d/t\tab\xff") == "x\ny");
  for (const auto* unmatched : {"xval_0.JPEG", "1.jpg", "moreimages/1.jpg", "abs/c.jpg", "val_0.JPEG/x", ""})
    CHECK_THROWS_AS(labels.label_of(unmatched), Incompatible);
}

TEST_CASE("an ambiguous label is refused, one given twice is not") {
  const TemporaryFolder folder;
  const LabelTable labels =
      table(folder, "1.jpg\tdog\nx/1.jpg\tcat\ny/1.jpg\tdog\n2.jpg\ta\n2.jpg\tb\n3.jpg\ta\n3.jpg\ta\n");
  CHECK_THROWS_WITH(labels.label_of("x/1.jpg"), ContainsSubstring("lines 1 and 2 give x/1.jpg different labels"));
  CHECK(labels.label_of("y/1.jpg") == "dog");
  CHECK_THROWS_WITH(labels.label_of("2.jpg"), ContainsSubstring("lines 4 and 5"));
  CHECK(labels.label_of("3.jpg") == "a");
}

TEST_CASE("an empty label is none") {
  const TemporaryFolder folder;
  CHECK_FALSE(table(folder, "1.jpg\t\n").label_of("1.jpg").has_value());
}

TEST_CASE("a TSV without a second column is named with its line") {
  const TemporaryFolder folder;
  CHECK_THROWS_AS(table(folder, "a\tb\nc\n"), DamagedFile);
  CHECK_THROWS_WITH(table(folder, "a\tb\nc\n"), ContainsSubstring("labels.tsv line 2"));
  CHECK_THROWS_AS(LabelTable(folder / "missing.tsv"), MissingInput);
}
