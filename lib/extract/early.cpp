#include "early.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <span>
#include <string_view>
#include <vector>

#include <cbir/base/error.hpp>
#include <cbir/base/file.hpp>
#include <cbir/base/hash.hpp>
#include <cbir/base/text.hpp>

namespace cbir {
namespace {

struct Head {
  std::uint64_t items = 0, rows = 0, failed = 0, first = 0;
  std::array<std::uint64_t, kParts> lengths = {};
};

}  // namespace

void EarlyBatches::load() {
  there_.clear();
  std::error_code error;  // there need be no folder
  for (const auto& entry : std::filesystem::directory_iterator(folder_, error)) {
    std::uint64_t first = 0;
    if (parse_number(entry.path().filename().string(), first)) there_.insert(first);
  }
}

void EarlyBatches::clear() {
  there_.clear();
  std::error_code error;
  std::filesystem::remove_all(folder_, error);
  if (error) throw OutputError(fmt::format("{}: cannot be removed: {}", display_path(folder_), error.message()));
}

void EarlyBatches::put(std::uint64_t first, const BatchOutput& batch) {
  Head head{.items = batch.items, .rows = batch.rows, .failed = batch.failed, .first = first};
  std::string content(sizeof head, '\0');
  for (std::size_t p = 0; p < kParts; ++p) {
    head.lengths[p] = batch.parts[p].size();
    content += batch.parts[p];
  }
  std::memcpy(content.data(), &head, sizeof head);
  const Xxh3 digest = xxh3(as_bytes(content));
  content += as_text(std::as_bytes(std::span(digest)));

  make_directories(folder_);
  const std::string path = path_of(first);
  const Fd fd(open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666));
  if (!fd) throw OutputError(fmt::format("{}: cannot be created: {}", display_path(path), std::strerror(errno)));
  write_all(fd.get(), as_bytes(content), path);
  const std::lock_guard lock(mutex_);
  there_.insert(first);
}

bool EarlyBatches::get(std::uint64_t first, std::uint64_t items, BatchOutput& batch) const {
  {
    const std::lock_guard lock(mutex_);
    if (!there_.contains(first)) return false;
  }
  std::vector<std::byte> content;
  try {
    content = read_file(path_of(first));
  } catch (const Error&) {
    return false;
  }
  Head head;
  Xxh3 digest;
  if (content.size() < sizeof head + sizeof digest) return false;
  const Bytes hashed = Bytes(content).first(content.size() - sizeof digest);
  std::memcpy(&head, content.data(), sizeof head);
  std::memcpy(&digest, content.data() + hashed.size(), sizeof digest);
  if (xxh3(hashed) != digest || head.first != first || head.items != items) return false;
  std::string_view rest = as_text(hashed.subspan(sizeof head));
  for (std::size_t p = 0; p < kParts; ++p) {
    batch.parts[p] = rest.substr(0, head.lengths[p]);
    rest.remove_prefix(std::min<std::size_t>(rest.size(), head.lengths[p]));
  }
  batch.items = batch.resumed = head.items;
  batch.rows = head.rows;
  batch.failed = head.failed;
  batch.encoded = 0;
  return true;
}

void EarlyBatches::drop(std::uint64_t first) {
  const std::lock_guard lock(mutex_);
  if (there_.erase(first) > 0) unlink(path_of(first).c_str());
}

}  // namespace cbir
