// What programs take by name: lists of files, boxes, pairs of pictures, texts, labels.
#include <tests/fuzz/target.hpp>

#include <cbir/extract/boxes.hpp>
#include <cbir/extract/listing.hpp>
#include <cbir/extract/texts.hpp>
#include <cbir/local/pairs.hpp>
#include <cbir/store/labels.hpp>

namespace {

void walk(const cbir::Listing& listing) {
  for (const cbir::ListedFile& file : listing.files)
    if (file.name().empty() && file.problem.empty()) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace cbir;
  const std::string_view text = as_text(fuzz::bytes(data, size));
  const fuzz::MemoryFile file(fuzz::bytes(data, size));
  for (const char separator : {'\n', '\0'}) {
    fuzz::expect_file_errors([&] { walk(list_lines(text, separator)); });
    fuzz::expect_file_errors([&] { read_texts(file.path(), separator); });
  }
  fuzz::expect_file_errors([&] { walk(parse_boxes(text, "x", "")); });
  fuzz::expect_file_errors([&] {
    if (parse_picture_pairs(text, "x").empty()) std::abort();
  });
  return fuzz::expect_file_errors([&] { LabelTable(file.path()).label_of("in/a.jpg"); });
}
