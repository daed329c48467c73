#include "batch.hpp"

#include <tests/catch.hpp>
#include <tests/extract/fake.hpp>

using namespace cbir;

TEST_CASE("memory is kept from batch to batch, and nothing of the last one shows in the next") {
  const Pictures pictures(12);
  pictures.write("a/5.jpg", "a text");  // in the second batch
  const Listing listing = pictures.list();
  const ExtractOptions options = pictures.options();
  const FakeEncoder encoder;
  const Labels labels("parent", listing.files);
  const BatchContext context{listing, options, encoder, labels};

  BatchBuffers kept;
  BatchOutput output;
  process_batch(context, 0, kept, output);
  CHECK(output.rows == 3);
  CHECK(output.failed == 1);
  process_batch(context, 4, kept, output);
  const void* const vectors = kept.vectors.data();
  const void* const stored = output.parts[kVectors].data();
  process_batch(context, 8, kept, output);
  CHECK(output.rows == 4);
  CHECK(output.failed == 0);
  CHECK(kept.vectors.data() == vectors);
  CHECK(output.parts[kVectors].data() == stored);

  BatchBuffers fresh;
  BatchOutput expected;
  process_batch(context, 8, fresh, expected);
  CHECK(output.parts == expected.parts);
}

TEST_CASE("labels of a TSV are looked up at once") {
  const Pictures pictures(4);
  const Listing listing = pictures.list();  // a/1 a/2 b/0 b/3
  const std::string tsv = pictures.folder / "labels.tsv";
  write_file(tsv, "1.jpg\tcat\n2.jpg\tdog\n0.jpg\t\n3.jpg\tcat\n", true);
  const Labels labels(tsv, listing.files);
  write_file(tsv, "", true);
  const auto of = [&](std::size_t seq) { return labels.of(seq, listing.files[seq].path); };
  CHECK(of(0) == "cat");
  CHECK(of(1) == "dog");
  CHECK_FALSE(of(2).has_value());
  CHECK(of(3) == "cat");

  write_file(tsv, "1.jpg\tcat\n", true);
  CHECK_THROWS_AS(Labels(tsv, listing.files), Incompatible);
}
