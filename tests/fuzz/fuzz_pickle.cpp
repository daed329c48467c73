// The pickle of a checkpoint alone, without the container that hides it from mutation: every storage that it refers to
// is there, up to a size.
#include <state_dict.hpp>
#include <tests/fuzz/tensors.hpp>
#include <vector>

#include <cbir/base/error.hpp>
#include <cbir/weights/pickle.hpp>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace cbir;
  static const std::vector<std::byte> numbers(1 << 16);
  return fuzz::expect_file_errors([&] {
    ByteReader reader(fuzz::bytes(data, size), "x");
    pickle::Arena arena;
    const pickle::Value& object = pickle::load(reader, arena);
    const weights::FindStorage find = [](const pickle::StorageRef& ref) -> weights::Storage {
      const std::size_t item = item_size(ref.type);
      if (ref.elements > numbers.size() / item) throw DamagedFile("x: no such storage");
      return {Bytes(numbers).first(static_cast<std::size_t>(ref.elements) * item), nullptr};
    };
    fuzz::check(weights::state_dict(object, find, {"x", size, nullptr}));
  });
}
