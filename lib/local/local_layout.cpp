#include "local_layout.hpp"

#include <cstring>

namespace cbir::local_layout {

Storage storage_of(const LocalKind& kind) {
  return kind.binary ? Storage::bits : kind.name == "sift" ? Storage::bytes : Storage::half;
}

std::size_t descriptor_bytes(Storage storage, std::size_t dim) { return storage == Storage::half ? 2 * dim : dim; }

std::uint64_t record_length(const RecordHead& head, Storage storage, std::size_t dim) {
  // Of 32-bit numbers: a product of two and a sum of a few fit 64 bits.
  const std::uint64_t each = sizeof(Keypoint) + descriptor_bytes(storage, dim);
  if (each > UINT32_MAX) return UINT64_MAX;
  const std::uint64_t length = sizeof(RecordHead) + head.count * each + head.name_length;
  return (length + 7) / 8 * 8;
}

LocalSource source_of(Bytes record, const LocalKind& kind) {
  RecordHead head;
  std::memcpy(&head, record.data(), sizeof head);
  const std::size_t each = sizeof(Keypoint) + descriptor_bytes(storage_of(kind), kind.dim);
  return {.name = std::string(as_text(record.subspan(sizeof head + head.count * each, head.name_length))),
          .box = head.box,
          .picture = head.picture};
}

}  // namespace cbir::local_layout
