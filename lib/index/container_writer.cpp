#include <cstring>

#include "lib/index/container.hpp"

namespace cbir {
namespace {

using namespace container;

/// Appends little-endian fields to a record.
class Record {
 public:
  template <typename T>
  Record& field(T value) {
    return bytes(std::as_bytes(std::span(&value, 1)));
  }
  Record& bytes(Bytes data) {
    data_.insert(data_.end(), data.begin(), data.end());
    return *this;
  }
  Record& zeros_to(std::size_t size) {
    data_.resize(size);
    return *this;
  }
  /// Ends a record with the checksum of all before it.
  Record& checksum() { return field(xxh3(data_)); }
  std::vector<std::byte> take() { return std::move(data_); }

 private:
  std::vector<std::byte> data_;
};

}  // namespace

std::vector<std::byte> serialize(const Head& head) {
  return Record()
      .bytes(as_bytes(kMagic))
      .field(head.major)
      .field(head.minor)
      .field(head.endian_tag)
      .field(head.required_features)
      .field(head.optional_features)
      .zeros_to(kHeadBytes - sizeof(Xxh3))
      .checksum()
      .take();
}

std::vector<std::byte> serialize(const Root& root) {
  return Record()
      .bytes(as_bytes(kRootMagic))
      .field(root.generation)
      .field(root.end)
      .field(root.table_offset)
      .field(root.table_bytes)
      .field(root.table_digest)
      .field(root.next_id)
      .zeros_to(kRootBytes - sizeof(Xxh3))
      .checksum()
      .take();
}

std::vector<std::byte> serialize(const std::vector<Section>& table) {
  Record record;
  std::size_t size = 0;
  for (const Section& section : table) {
    record.field(section.segment)
        .field(static_cast<std::uint32_t>(section.kind))
        .field(static_cast<std::uint32_t>(section.type))
        .field(std::uint32_t{0})
        .field(section.offset)
        .field(section.bytes)
        .field(section.digest)
        .zeros_to(size += kEntryBytes);
  }
  return record.take();
}

ContainerWriter::ContainerWriter(const std::string& path, bool overwrite) : name_(path), file_(path, overwrite) {
  file_.write(std::vector<std::byte>(kPage));  // head and roots go here when all else is known
}

void ContainerWriter::begin(std::uint32_t segment, SectionKind kind, ElementType type) {
  table_.push_back({.segment = segment, .kind = kind, .type = type, .offset = file_.size()});
  hasher_.emplace();
}

void ContainerWriter::write(Bytes data) {
  file_.write(data);
  hasher_->update(data);
  table_.back().bytes += data.size();
}

void ContainerWriter::pad() {
  const std::vector<std::byte> zeros(padded(file_.size()) - file_.size());
  file_.write(zeros);
  hasher_->update(zeros);
}

void ContainerWriter::end() {
  pad();
  table_.back().digest = hasher_->digest();
}

Container ContainerWriter::written() {
  Container out;
  out.name_ = name_;
  out.mapping_ = file_.written();
  out.file_ = out.mapping_.bytes();
  out.set_sections(table_);
  return out;
}

std::uint64_t ContainerWriter::finish(std::uint64_t next_id) {
  const std::vector<std::byte> table = serialize(table_);
  Root root{.table_offset = file_.size(), .table_bytes = table.size(), .next_id = next_id};
  hasher_.emplace();
  file_.write(table);
  hasher_->update(table);
  pad();
  root.table_digest = hasher_->digest();
  root.end = file_.size();
  file_.write_at(0, serialize(Head{}));
  for (root.generation = 1; root.generation <= 2; ++root.generation)
    file_.write_at(kRootOffsets[root.generation % 2], serialize(root));
  file_.commit();
  return root.end;
}

}  // namespace cbir
