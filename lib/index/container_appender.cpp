#include "lib/index/container_appender.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include <cbir/base/error.hpp>
#include <cbir/base/text.hpp>

namespace cbir {
namespace {

using namespace container;

constexpr std::size_t kBufferBytes = 1 << 20;

void check_growing(const Container& container) {
  const Head& head = container.head();
  if ((head.required_features & kGrowing) == 0)
    throw Incompatible(fmt::format(
        "{}: index format {}.{}, which cannot be changed in place; cbir-index compact {} rewrites it as "
        "{}.{}, which can",
        display_path(container.name()), head.major, head.minor, display_path(container.name()), kMajor, kMinor));
  if (head.minor > kMinor || head.optional_features != 0)
    throw Incompatible(
        fmt::format("{}: index format {}.{}, and this program changes {}.{} at most; use the version that wrote it",
                    display_path(container.name()), head.major, head.minor, kMajor, kMinor));
}

Section unused(std::uint64_t offset, std::uint64_t bytes, const Xxh3& digest) {
  return {.kind = SectionKind::unused, .type = ElementType::byte, .offset = offset, .bytes = bytes, .digest = digest};
}

}  // namespace

ChangedFile::ChangedFile(const std::string& path) : path_(path), fd_(open_locked(path, true)) {}

void ChangedFile::write_at(std::uint64_t offset, Bytes data) { write_all_at(fd_.get(), offset, data, path_); }

void ChangedFile::sync() {
  if (fsync(fd_.get()) != 0)
    throw OutputError(fmt::format("{}: cannot be synchronised to disk: {}", display_path(path_), std::strerror(errno)));
}

ContainerAppender::ContainerAppender(const std::string& path)
    : ContainerAppender(std::make_unique<ChangedFile>(path)) {}

ContainerAppender::ContainerAppender(std::unique_ptr<ChangedFile> file)
    : file_(std::move(file)),
      current_(Container::open(file_->fd(), file_->path(), Check::opening)),
      root_(current_.root()),
      table_(current_.sections()),
      size_(root_.end) {
  check_growing(current_);
  table_.push_back(unused(root_.table_offset, root_.table_bytes, root_.table_digest));
}

/// What no root speaks of takes up no room, as on a full disk. Not so once the root may have been written.
ContainerAppender::~ContainerAppender() {
  if (root_touched_ || size_ == root_.end) return;
  [[maybe_unused]] const int cut = ftruncate(file_->fd().get(), static_cast<off_t>(root_.end));
}

/// After a failed write or fsync nobody knows what the disk holds, and a second fsync would report success.
template <typename Action>
void ContainerAppender::attempt(const Action& action) {
  if (failed_)
    throw OutputError(fmt::format("{}: nothing more is written after an error", display_path(file_->path())));
  failed_ = true;
  action();
  failed_ = false;
}

void ContainerAppender::retire(std::uint32_t segment, SectionKind kind) {
  for (Section& section : table_)
    if (section.segment == segment && section.kind == kind)
      section = unused(section.offset, section.bytes, section.digest);
}

void ContainerAppender::begin(std::uint32_t segment, SectionKind kind, ElementType type) {
  table_.push_back({.segment = segment, .kind = kind, .type = type, .offset = size_});
  hasher_.emplace();
}

void ContainerAppender::write(Bytes data) {
  put(data);
  table_.back().bytes += data.size();
}

void ContainerAppender::put(Bytes data) {
  attempt([&] {
    if (buffer_.size() + data.size() > kBufferBytes) flush();
    size_ += data.size();
    hasher_->update(data);
    if (data.size() >= kBufferBytes) file_->write_at(size_ - data.size(), data);
    else buffer_.insert(buffer_.end(), data.begin(), data.end());
  });
}

void ContainerAppender::flush() {
  if (!buffer_.empty()) file_->write_at(size_ - buffer_.size(), buffer_);
  buffer_.clear();
}

void ContainerAppender::pad() { put(std::vector<std::byte>(padded(size_) - size_)); }

void ContainerAppender::end() {
  pad();
  table_.back().digest = hasher_->digest();
}

Container ContainerAppender::written() {
  attempt([&] { flush(); });
  Container out;
  out.name_ = file_->path();
  out.mapping_ = MappedFile(file_->fd(), size_, file_->path());
  out.file_ = out.mapping_.bytes();
  out.set_sections(table_);
  return out;
}

Root ContainerAppender::write_table(std::uint64_t next_id) {
  const std::vector<std::byte> table = serialize(table_);
  Root root{.generation = root_.generation + 1, .table_offset = size_, .table_bytes = table.size(), .next_id = next_id};
  hasher_.emplace();
  put(table);
  pad();
  root.table_digest = hasher_->digest();
  root.end = size_;
  return root;
}

std::uint64_t ContainerAppender::commit(std::uint64_t next_id) {
  const Root root = write_table(next_id);
  attempt([&] {
    flush();
    // A longer rest of an append that was cut short: beyond what either root reaches.
    if (regular_size(file_->fd(), file_->path()) > root.end &&
        ftruncate(file_->fd().get(), static_cast<off_t>(root.end)) != 0)
      throw OutputError(
          fmt::format("{}: cannot be cut to its new length: {}", display_path(file_->path()), std::strerror(errno)));
    file_->sync();  // the file's length, too, must last before a root speaks of it
    root_touched_ = true;
    file_->write_at(kRootOffsets[root.generation % 2], serialize(root));
    try {
      file_->sync();
    } catch (const OutputError& error) {
      throw OutputError(fmt::format("{}; whether the change is there shows when the index is opened", error.what()));
    }
  });
  failed_ = true;  // one generation a lock
  return root.end;
}

}  // namespace cbir
