#pragma once
/// Changes a container in place. What is new goes after the end of the newest generation; one write of one sector then
/// makes it the index. Nothing that a reader may be looking at is touched, so readers neither wait nor notice.
///
/// The order, as of LMDB and bbolt: sections and table, fsync, root record, fsync. Assumed of the medium: a sector of
/// 512 bytes is written whole or not at all, and what fsync said is written stays.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "lib/index/container.hpp"

namespace cbir {

/// The file that is changed, locked. The methods are virtual so that a test can be a disk that loses power.
class ChangedFile {
 public:
  /// Throws MissingInput, OutputError, Locked.
  explicit ChangedFile(const std::string& path);
  virtual ~ChangedFile() = default;

  virtual void write_at(std::uint64_t offset, Bytes data);
  virtual void sync();

  const Fd& fd() const noexcept { return fd_; }
  const std::string& path() const noexcept { return path_; }

 private:
  std::string path_;
  Fd fd_;
};

class ContainerAppender : public SectionWriter {
 public:
  /// Throws as ChangedFile and Container::open; Incompatible for a file of a version that cannot grow.
  explicit ContainerAppender(const std::string& path);
  explicit ContainerAppender(std::unique_ptr<ChangedFile> file);
  /// Without commit() the index stays as it was.
  ~ContainerAppender() override;
  ContainerAppender(const ContainerAppender&) = delete;
  ContainerAppender& operator=(const ContainerAppender&) = delete;

  /// The newest generation; for one caller, who keeps it.
  Container take_current() { return std::move(current_); }

  /// The next generation has this section no more.
  void retire(std::uint32_t segment, SectionKind kind);
  void begin(std::uint32_t segment, SectionKind kind, ElementType type) override;
  void write(Bytes data) override;
  void end() override;
  Container written() override;

  /// Makes the next generation the newest; returns the bytes of the index. After any error here or before nothing more
  /// can be done with this object: what the disk then holds is for the next one to find out.
  std::uint64_t commit(std::uint64_t next_id);

 private:
  template <typename Action>
  void attempt(const Action& action);
  void put(Bytes data);
  void flush();
  void pad();
  Root write_table(std::uint64_t next_id);

  std::unique_ptr<ChangedFile> file_;
  Container current_;
  Root root_;  // of the newest generation
  std::vector<Section> table_;
  std::optional<Xxh3Hasher> hasher_;
  std::vector<std::byte> buffer_;
  std::uint64_t size_;   // up to which the next generation is written, buffer included
  bool failed_ = false;  // something did, or is being tried
  bool root_touched_ = false;
};

}  // namespace cbir
