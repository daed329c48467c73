// The ground truth of Oxford and Paris: four small files a query, which lie between NULs here.
#include <fcntl.h>
#include <stdlib.h>

#include <filesystem>
#include <tests/fuzz/target.hpp>

#include <cbir/base/text.hpp>
#include <cbir/eval/oxford.hpp>

namespace {

/// A folder of one query, there as long as the process.
struct Folder {
  Folder() {
    if (!mkdtemp(path.data())) std::abort();
  }
  ~Folder() { std::filesystem::remove_all(path); }
  std::string path = (std::filesystem::temp_directory_path() / "cbir-fuzz-XXXXXX").string();
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace cbir;
  static const Folder folder;
  const auto parts = split(as_text(fuzz::bytes(data, size)), '\0');
  std::size_t next = 0;
  for (const char* name : {"query", "good", "ok", "junk"}) {
    const std::string path = folder.path + "/all_souls_1_" + name + ".txt";
    const Fd fd(open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666));
    if (!fd) std::abort();
    if (next < parts.size()) write_all(fd.get(), as_bytes(parts[next++]), path);
  }
  return fuzz::expect_file_errors([&] {
    const OxfordQuery query = read_oxford_truth(folder.path).queries.at(0);
    if (query.landmark != "all_souls" || !(query.box.x1 < query.box.x2)) std::abort();
  });
}
