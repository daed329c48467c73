#pragma once
/// From references in a pickle to dense tensors: strided views of storages, and numpy's arrays.

#include <functional>
#include <string>

#include <cbir/weights/pickle.hpp>
#include <cbir/weights/tensors.hpp>

namespace cbir::weights {

/// The raw numbers of a storage.
struct Storage {
  Bytes data;
  std::shared_ptr<const void> owner;
};

/// Finds the numbers that a pickle refers to: exactly as many as it states. Throws DamagedFile if there are none such.
using FindStorage = std::function<Storage(const pickle::StorageRef&)>;

class Views {
 public:
  /// `file` is for messages. Copies take `copy_limit` bytes together at most.
  Views(FindStorage find, std::string file, std::uint64_t copy_limit)
      : find_(std::move(find)), file_(std::move(file)), copy_left_(copy_limit) {}

  /// A view that is dense in C order lies in its storage, any other is copied. `tensor` is its name, for messages.
  /// Throws DamagedFile (outside its storage), ResourceLimit.
  Tensor dense(const pickle::TensorRef& ref, const std::string& tensor);

  /// Whether the object is what numpy makes of an array or a number.
  static bool is_numpy(const pickle::Object& object);

  /// A copy of an array or a number of numpy's, in C order.
  /// Throws DamagedFile; Incompatible for types of number that TensorType does not have.
  Tensor numpy(const pickle::Object& object, const std::string& tensor);

 private:
  [[noreturn]] void damaged(const std::string& tensor, std::string_view what) const;
  std::uint64_t check_extent(const pickle::TensorRef& ref, std::uint64_t available, const std::string& tensor) const;
  std::shared_ptr<std::vector<std::byte>> copy_memory(std::uint64_t elements, std::size_t item,
                                                      const std::string& tensor);

  FindStorage find_;
  std::string file_;
  std::uint64_t copy_left_;
};

}  // namespace cbir::weights
