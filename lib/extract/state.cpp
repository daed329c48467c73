#include "state.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <functional>

#include <cbir/base/error.hpp>
#include <cbir/base/text.hpp>

namespace cbir {

/// One record of the journal, as it stands in the file.
struct State::Record {
  Counts counts;
  std::array<std::uint64_t, kParts> lengths = {};
  std::array<Xxh3, kParts> digests = {};
  std::uint64_t checksum = 0;  ///< XXH3 (64 bits) of the fields above

  std::uint64_t own_checksum() const {
    return xxh3_64(std::as_bytes(std::span(this, 1)).first(offsetof(Record, checksum)));
  }
};

namespace {

constexpr std::size_t kHead = 128;  // of vectors.npy
constexpr std::size_t kBlock = 1 << 20;
constexpr std::array<const char*, kParts> kPartNames = {"vectors.npy", "rows.jsonl", "failed.jsonl", "inputs"};

std::string reason() { return std::strerror(errno); }

void remove_file(const std::string& path) {
  if (unlink(path.c_str()) != 0 && errno != ENOENT)
    throw OutputError(fmt::format("{}: cannot be removed: {}", display_path(path), reason()));
}

Fd open_output(const std::string& path, int flags) {
  Fd fd(open(path.c_str(), flags | O_CLOEXEC, 0666));
  if (!fd) throw OutputError(fmt::format("{}: cannot be opened: {}", display_path(path), reason()));
  return fd;
}

void truncate_to(const Fd& fd, std::uint64_t length, const std::string& path) {
  if (ftruncate(fd.get(), static_cast<off_t>(length)) != 0 || lseek(fd.get(), 0, SEEK_END) < 0)
    throw OutputError(fmt::format("{}: cannot be shortened: {}", display_path(path), reason()));
}

void synchronise(const Fd& fd, const std::string& path) {
  if (fsync(fd.get()) != 0)
    throw OutputError(fmt::format("{}: cannot be synchronised to disk: {}", display_path(path), reason()));
}

/// Calls use(bytes) over [begin, end) of a file, block by block; mapping it would count as memory of this process.
/// False if the file ends before.
bool for_blocks(const std::string& path, std::uint64_t begin, std::uint64_t end,
                const std::function<void(Bytes)>& use) {
  const Fd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return begin == end && begin == 0;
  std::vector<std::byte> block(static_cast<std::size_t>(std::min<std::uint64_t>(kBlock, end - begin)));
  while (begin < end) {
    const auto wanted = static_cast<std::size_t>(std::min<std::uint64_t>(block.size(), end - begin));
    const ssize_t count = pread(fd.get(), block.data(), wanted, static_cast<off_t>(begin));
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return false;
    use(Bytes(block).first(static_cast<std::size_t>(count)));
    begin += static_cast<std::uint64_t>(count);
  }
  return true;
}

std::string digest_of_file(const std::string& path, std::uint64_t length) {
  Xxh3Hasher hasher;
  if (!for_blocks(path, 0, length, [&](Bytes block) { hasher.update(block); }))
    throw OutputError(fmt::format("{}: what was written cannot be read again", display_path(path)));
  return hex(hasher.digest());
}

/// The position of the first item whose file isn't what `inputs` says, or how many items both have.
std::uint64_t first_changed(const std::string& inputs, const Listing& listing, std::uint64_t count) {
  count = std::min<std::uint64_t>(count, listing.files.size());
  std::uint64_t item = 0, changed = count;
  std::vector<std::byte> rest;  // a stamp may lie across two blocks
  for_blocks(inputs, 0, count * sizeof(Stamp), [&](Bytes block) {
    rest.insert(rest.end(), block.begin(), block.end());
    std::size_t at = 0;
    for (; rest.size() - at >= sizeof(Stamp) && changed == count; at += sizeof(Stamp), ++item) {
      Stamp stamp;
      std::memcpy(&stamp, rest.data() + at, sizeof stamp);
      if (stamp != stamp_of(listing.files[static_cast<std::size_t>(item)].path)) changed = item;
    }
    rest.erase(rest.begin(), rest.begin() + static_cast<std::ptrdiff_t>(at));
  });
  return std::min(changed, item);
}

}  // namespace

State::State(const std::string& name) : paths_(set_paths(name)), early_(file("early")) {
  const std::string base = base_name(paths_.state);
  if (base == ".state")
    throw UsageError(fmt::format("{}: the name of a set expected, not a folder", display_path(name)));
  make_directories(paths_.state);
  lock_.emplace(file("lock"));
}

std::string State::part_path(Part part) const { return file(kPartNames[part]); }

std::string State::final_path(Part part) const {
  return part == kVectors ? paths_.npy : part == kRows ? paths_.rows : paths_.failed;
}

bool State::is_unfinished() const { return exists(file("journal")); }

OutputError State::refuse(const std::string& path, const std::string& why) {
  return OutputError(fmt::format("{}: exists already, and {}; --force replaces it", display_path(path), why));
}

bool State::is_finished(const Arguments& arguments, const Listing* files) const {
  refuse_foreign_files();
  if (!exists(paths_.manifest)) return false;
  if (finished_set()->folder != paths_.state) throw refuse(paths_.manifest, "was being brought up to date by --update");
  if (const std::string difference = describe_difference(read_arguments(file("arguments")), arguments);
      !difference.empty())
    throw refuse(paths_.manifest, difference);
  const std::uint64_t count = files ? files->files.size() : 0;
  if (const std::uint64_t changed = files ? first_changed(file("inputs"), *files, count) : 0; changed < count)
    throw refuse(paths_.manifest, fmt::format("{} was changed since",
                                              display_path(files->files[static_cast<std::size_t>(changed)].path)));
  EmbeddingSet::open(paths_.manifest);  // DamagedFile, if it is no longer whole
  return true;
}

void State::start(const Arguments& arguments, const std::string& arithmetic, bool replaces) {
  // The journal goes first: without one nothing else here is taken over.
  for (const char* name : {"journal", "finished", "arguments", "replaces"}) remove_file(file(name));
  for (const char* name : kPartNames) remove_file(file(name));
  early_.clear();
  write_file(file("arguments"), to_text(arguments), true);
  write_file(file("arithmetic"), arithmetic, true);
  if (replaces) write_file(file("replaces"), "", true);
  counts_ = {};
  open_parts({});
}

void State::resume(const Arguments& arguments, const std::string& arithmetic, const Listing* files) {
  std::string difference = describe_difference(read_arguments(file("arguments")), arguments);
  const std::string before = exists(file("arithmetic")) ? read_text(file("arithmetic")) : "";
  if (difference.empty() && before != arithmetic)
    difference = fmt::format("the network ran in '{}' and comes to '{}' here", display_path(before), arithmetic);
  if (!difference.empty())
    throw Incompatible(
        fmt::format("{}: an unfinished run is there, but {}; run it with the same arguments to go on, or "
                    "with --force to drop what it did",
                    display_path(paths_.state), difference));
  // Stopped while the files were put in place: those that were are taken back. A manifest that is there then is this
  // run's own, and written again.
  for (const Part part : {kVectors, kRows, kFailed}) {
    if (exists(part_path(part)) || !exists(final_path(part))) continue;
    remove_file(paths_.manifest);
    if (rename(final_path(part).c_str(), part_path(part).c_str()) != 0)
      throw OutputError(fmt::format("{}: cannot be moved: {}", display_path(final_path(part)), reason()));
  }
  const std::vector<Record> records = read_journal();
  std::size_t sound = sound_records(records);
  std::uint64_t unchanged = sound ? records[sound - 1].counts.items : 0;
  if (files) unchanged = first_changed(part_path(kInputs), *files, unchanged);
  while (sound > 0 && records[sound - 1].counts.items > unchanged) --sound;
  open_parts(sound ? records[sound - 1] : Record{});
  truncate_to(journal_, sound * sizeof(Record), file("journal"));
  early_.load();
}

bool State::fits(const Arguments& arguments, const Listing& files) const {
  if (!describe_difference(read_arguments(file("arguments")), arguments).empty()) return false;
  const std::vector<Record> records = read_journal();
  const std::uint64_t done = records.empty() ? 0 : records.back().counts.items;
  return first_changed(part_path(kInputs), files, done) == done;
}

bool State::replaces() const { return exists(file("replaces")); }

std::vector<State::Record> State::read_journal() const {
  static_assert(std::has_unique_object_representations_v<Record>, "records are hashed and written as they stand");
  const std::vector<std::byte> bytes = read_file(file("journal"));
  std::vector<Record> records;
  for (std::size_t at = 0; bytes.size() - at >= sizeof(Record); at += sizeof(Record)) {
    Record record;
    std::memcpy(&record, bytes.data() + at, sizeof record);
    if (record.checksum != record.own_checksum()) break;
    records.push_back(record);
  }
  return records;
}

/// Hashes what lies between two records; false if it isn't there or not what `to` says.
bool State::hash_parts(const Record& from, const Record& to, std::array<Xxh3Hasher, kParts>& hashers) const {
  for (std::size_t p = 0; p < kParts; ++p) {
    const std::uint64_t head = p == kVectors ? kHead : 0;
    if (from.lengths[p] > to.lengths[p]) return false;
    if (!for_blocks(part_path(Part(p)), head + from.lengths[p], head + to.lengths[p],
                    [&](Bytes block) { hashers[p].update(block); }) ||
        hashers[p].digest() != to.digests[p])
      return false;
  }
  return true;
}

/// How many records, from the first on, fit the files.
std::size_t State::sound_records(const std::vector<Record>& records) const {
  std::array<Xxh3Hasher, kParts> hashers;
  std::size_t sound = 0;
  while (sound < records.size() && hash_parts(sound ? records[sound - 1] : Record{}, records[sound], hashers)) ++sound;
  return sound;
}

/// Opens the growing files with the lengths that `record` says, creating them if they aren't there.
void State::open_parts(const Record& record) {
  for (std::size_t p = 0; p < kParts; ++p) {
    const std::string path = part_path(Part(p));
    parts_[p] = open_output(path, O_RDWR | O_CREAT);
    truncate_to(parts_[p], (p == kVectors ? kHead : 0) + record.lengths[p], path);
  }
  hashers_ = {};
  hash_parts({}, record, hashers_);
  lengths_ = record.lengths;
  counts_ = record.counts;
  next_ = counts_.items;
  journal_ = open_output(file("journal"), O_RDWR | O_CREAT);
}

void State::append(const BatchOutput& batch) {
  counts_.items += batch.items;
  counts_.rows += batch.rows;
  counts_.failed += batch.failed;
  encoded_ += batch.encoded;
  kept_ += batch.resumed;
  Record record{.counts = counts_};
  for (std::size_t p = 0; p < kParts; ++p) {
    const Bytes bytes = as_bytes(batch.parts[p]);
    write_all(parts_[p].get(), bytes, part_path(Part(p)));
    hashers_[p].update(bytes);
    lengths_[p] += bytes.size();
    record.lengths[p] = lengths_[p];
    record.digests[p] = hashers_[p].digest();
  }
  record.checksum = record.own_checksum();
  write_all(journal_.get(), std::as_bytes(std::span(&record, 1)), file("journal"));
  next_ = counts_.items;
  early_.drop(counts_.items - batch.items);
}

void State::keep(std::uint64_t first, const BatchOutput& batch) {
  if (first != next_) early_.put(first, batch);
}

bool State::take_kept(std::uint64_t first, std::uint64_t items, const Listing* files, BatchOutput& batch) const {
  batch.resumed = 0;
  if (!early_.get(first, items, batch)) return false;
  if (!files) return true;
  for (std::uint64_t i = 0; i < items; ++i) {
    Stamp stamp;
    if (batch.parts[kInputs].size() != items * sizeof stamp) return false;
    std::memcpy(&stamp, batch.parts[kInputs].data() + i * sizeof stamp, sizeof stamp);
    if (stamp != stamp_of(files->files[static_cast<std::size_t>(first + i)].path)) return false;
  }
  return true;
}

void State::move_into_place(Part part, bool replaces) const {
  const std::string from = part_path(part), to = final_path(part);
  const auto taken = [&] {
    return OutputError(fmt::format("{}: exists already; --force replaces it", display_path(to)));
  };
  unsigned flags = replaces ? 0 : RENAME_NOREPLACE;
  if (renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), flags) == 0) return;
  if (errno == EINVAL && !replaces) {  // a file system without RENAME_NOREPLACE
    if (exists(to)) throw taken();
    if (rename(from.c_str(), to.c_str()) == 0) return;
  }
  if (errno == EEXIST) throw taken();
  throw OutputError(fmt::format("{}: cannot be put in place: {}", display_path(to), reason()));
}

/// Brings the growing files to disk as those of a set, and the manifest to what they are.
void State::complete(Manifest& manifest) {
  manifest.rows = counts_.rows;
  manifest.failed = counts_.failed;
  const std::string head = npy_header(manifest.dtype, manifest.rows, manifest.dim, kHead);
  write_all_at(parts_[kVectors].get(), 0, std::as_bytes(std::span(head)).first(kHead), part_path(kVectors));
  for (std::size_t p = 0; p < kParts; ++p) synchronise(parts_[p], part_path(Part(p)));
  synchronise(journal_, file("journal"));
  manifest.npy_xxh3 = digest_of_file(part_path(kVectors), kHead + lengths_[kVectors]);
  manifest.rows_xxh3 = hex(hashers_[kRows].digest());
}

void State::publish(Manifest manifest) {
  complete(manifest);
  // The manifest of a set to be replaced goes before any of its files does, and that it is gone lasts: at no moment
  // does a manifest name files that it doesn't fit.
  const bool may_replace = replaces();
  const std::string folder = parent_path(paths_.manifest);
  if (may_replace) {
    remove_file(paths_.manifest);
    sync_directory(folder);
  }
  for (const Part part : {kFailed, kRows, kVectors}) move_into_place(part, may_replace);
  sync_directory(folder);
  const std::string text = to_json(manifest);
  write_file(paths_.manifest, text, false);
  end(text);
}

/// The run is over, and this manifest is there.
void State::end(const std::string& manifest) {
  write_file(file("finished"), hex(xxh3(as_bytes(manifest))) + "\n", true);
  remove_file(file("journal"));
  tidy();
  sync_directory(paths_.state);
}

void State::tidy() {
  remove_file(file("replaces"));
  early_.clear();
  for (const Part part : {kVectors, kRows, kFailed}) remove_file(part_path(part));
  drop_earlier();
}

std::optional<FailedItem> State::first_failure() const {
  const std::string path = exists(part_path(kFailed)) ? part_path(kFailed) : paths_.failed;
  std::FILE* stream = std::fopen(path.c_str(), "re");
  if (!stream) return {};
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> owner(stream, std::fclose);
  std::string line;
  for (int c = std::fgetc(stream); c != EOF && c != '\n'; c = std::fgetc(stream)) line += static_cast<char>(c);
  if (line.empty()) return {};
  return parse_failed_item(line, path + " line 1");
}

}  // namespace cbir
