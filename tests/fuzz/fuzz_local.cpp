// Files of local features. Their checksums are not looked at in this build: what lies behind them must hold by itself.
#include <tests/fuzz/target.hpp>

#include <cbir/local/local_file.hpp>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace cbir;
  const fuzz::MemoryFile memory(fuzz::bytes(data, size));
  fuzz::expect_file_errors([&] { LocalFile::open(memory.path()).verify(); });
  return fuzz::expect_file_errors([&] {
    const LocalFile file = LocalFile::open(memory.path());
    file.each_name([&](std::uint64_t, std::size_t row) {
      if (row >= file.size()) std::abort();
    });
    for (std::size_t row = 0; row < file.size(); ++row) {
      const LocalFeatures features = file.features(row);
      const LocalKind& kind = file.info().kind;
      if ((kind.binary ? features.bits.size() : features.descriptors.size()) != features.size() * kind.dim)
        std::abort();
      const LocalSource source = file.source(row);
      const auto found = file.find(source.name);
      if (found && file.source(*found).name != source.name) std::abort();
      fuzz::touch(file.find_record(source));
    }
  });
}
