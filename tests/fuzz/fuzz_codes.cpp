// Codes of a catalogue's keypoints, beside a file of features of two pictures. Checksums are not looked at in this
// build: what lies behind them must hold by itself.
#include <tests/fuzz/target.hpp>
#include <tests/temporary.hpp>

#include <cmath>

#include "lib/catalog/code_file.hpp"

namespace {

cbir::LocalFile features() {
  const TemporaryFolder folder;
  const std::string path = folder / "features-1.local";
  cbir::LocalFileWriter writer(path, {.kind = {.name = "f", .fingerprint = "", .dim = 2, .binary = false}}, false);
  for (const char* name : {"a", "b"}) writer.add({.name = name}, {.width = 9, .height = 9});
  writer.commit();
  return cbir::LocalFile::open(path);  // mapped: the folder may go
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace cbir;
  static const LocalFile known = features();
  const fuzz::MemoryFile memory(fuzz::bytes(data, size));
  return fuzz::expect_file_errors([&] {
    const KeypointCodes codes = KeypointCodes::open(memory.path(), known);
    if (codes.pictures().size() != known.size()) std::abort();
    std::size_t keypoints = 0;
    for (const CodedPicture& picture : codes.pictures()) keypoints += picture.keypoints;
    if (codes.codes().size() != keypoints || codes.spots().size() != keypoints) std::abort();
    for (const Spot& spot : codes.spots())
      if (!std::isfinite(spot.x + spot.angle)) std::abort();
    fuzz::touch(std::as_bytes(codes.codes()));
  });
}
