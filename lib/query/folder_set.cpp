#include "folder_set.hpp"

#include <fmt/format.h>
#include <sys/stat.h>

#include <filesystem>
#include <optional>

#include <cbir/base/error.hpp>
#include <cbir/base/file.hpp>
#include <cbir/base/hash.hpp>
#include <cbir/base/log.hpp>
#include <cbir/base/text.hpp>
#include <cbir/store/set.hpp>

namespace cbir {
namespace {

constexpr std::size_t kBatch = 16;

/// A set and where in it a path is.
struct Source {
  std::optional<EmbeddingSet> set;
  std::unordered_map<std::string, std::size_t> rows;
  std::unordered_map<std::string, FailedItem> failures;

  bool knows(const std::string& path) const { return rows.contains(path) || failures.contains(path); }
};

Source open_source(const std::string& name) {
  Source source;
  source.set = EmbeddingSet::open(name);
  for (std::size_t i = 0; i < source.set->rows(); ++i) source.rows.emplace(source.set->row(i).path, i);
  const std::string failed = set_paths(name).failed, text = read_text(failed);
  std::size_t line = 0;
  for (const std::string_view item : split(text, '\n')) {
    ++line;
    if (item.empty()) continue;
    FailedItem failure = parse_failed_item(item, fmt::format("{} line {}", display_path(failed), line));
    std::string path = failure.path;
    source.failures.emplace(std::move(path), std::move(failure));
  }
  return source;
}

/// What there is from the last time; nothing if it cannot be used, for whatever reason.
Source open_last(const std::string& name) {
  if (!exists(set_paths(name).manifest)) return {};
  try {
    return open_source(name);
  } catch (const Error& error) {
    log(LogLevel::warning,
        fmt::format("the cached vectors cannot be used, all pictures are read again: {}", error.what()));
    return {};
  }
}

/// The new set as it grows, row after row.
class SetWriter {
 public:
  explicit SetWriter(const std::string& name)
      : paths_(set_paths(name)), npy_(paths_.npy, true), rows_(paths_.rows, true), failed_(paths_.failed, true) {}

  void begin(const Manifest& like, std::uint64_t rows) {
    manifest_ = like;
    manifest_.rows = rows;
    manifest_.failed = 0;
    write_npy(npy_header(like.dtype, rows, like.dim));
    vector_.resize(static_cast<std::size_t>(like.dim));
  }

  void add(const EmbeddingSet& set, std::size_t row, std::uint64_t seq) {
    RowInfo info = set.row(row);
    info.seq = seq;
    write_rows(to_json_line(info) + "\n");
    set.matrix().read(row, 1, vector_.data());
    items_.clear();
    append_items(items_, vector_, manifest_.dtype);
    write_npy(as_text(items_));
  }

  void add(FailedItem failure, std::uint64_t seq) {
    failure.seq = seq;
    failed_.write(to_json_line(failure) + "\n");
    ++manifest_.failed;
  }

  std::uint64_t commit() {
    manifest_.npy_xxh3 = hex(npy_hash_.digest());
    manifest_.rows_xxh3 = hex(rows_hash_.digest());
    npy_.commit();
    rows_.commit();
    failed_.commit();
    write_file(paths_.manifest, to_json(manifest_), true);
    return manifest_.failed;
  }

 private:
  void write_npy(std::string_view bytes) {
    npy_.write(bytes);
    npy_hash_.update(as_bytes(bytes));
  }
  void write_rows(const std::string& line) {
    rows_.write(line);
    rows_hash_.update(as_bytes(line));
  }

  SetPaths paths_;
  OutputFile npy_, rows_, failed_;
  Xxh3Hasher npy_hash_, rows_hash_;
  Manifest manifest_;
  std::vector<float> vector_;
  std::vector<std::byte> items_;
};

/// Goes on with an extraction that was stopped if it is the same one, else begins anew.
void extract_changed(const Listing& listing, const EncoderChoice& encoder, ExtractOptions options,
                     const ExtractProgress& progress) {
  try {
    extract(listing, encoder, options, progress);
    return;
  } catch (const Error& error) {
    if (error.code() != ExitCode::incompatible && error.code() != ExitCode::output) throw;
    log(LogLevel::debug, fmt::format("an earlier extraction cannot be gone on with: {}", error.what()));
  }
  options.force = true;
  extract(listing, encoder, options, progress);
}

}  // namespace

Stamps Stamps::of(const Listing& listing) {
  Stamps stamps;
  for (const ListedFile& file : listing.files) {
    struct stat status {};
    const bool known = stat(file.path.c_str(), &status) == 0;
    const auto nanoseconds = [](const timespec& t) { return std::int64_t{t.tv_sec} * 1'000'000'000 + t.tv_nsec; };
    const std::string line = known
                                 ? fmt::format("{}\t{}\t{}\t{}\t{}", tsv_escape(file.path), status.st_size,
                                               nanoseconds(status.st_mtim), nanoseconds(status.st_ctim), status.st_ino)
                                 : fmt::format("{}\t{}", tsv_escape(file.path), tsv_escape(file.problem));
    stamps.add(line);
  }
  return stamps;
}

Stamps Stamps::read(const std::string& path) {
  Stamps stamps;
  if (!exists(path)) return stamps;
  const std::string text = read_text(path);
  for (const std::string_view line : split(text, '\n'))
    if (!line.empty()) stamps.add(line);
  return stamps;
}

void Stamps::add(std::string_view line) {
  text_ += line;
  text_ += '\n';
  const std::size_t tab = std::min(line.find('\t'), line.size());
  by_path_.insert_or_assign(tsv_unescape(line.substr(0, tab)), std::string(line.substr(tab)));
}

const std::string& Stamps::at(const std::string& path) const {
  static const std::string none;
  const auto found = by_path_.find(path);
  return found == by_path_.end() ? none : found->second;
}

FolderUpdate FolderSet::update(const Listing& listing, const Stamps& stamps, const EncoderChoice& encoder,
                               const DecodeOptions& decode, const FolderProgress& progress) const {
  const Stamps before = Stamps::read(cache_ + "/stamps");
  const Source last = open_last(name());
  const auto unchanged = [&](const ListedFile& file) {
    return file.problem.empty() && last.knows(file.path) && before.at(file.path) == stamps.at(file.path);
  };

  Listing changed;
  std::optional<ListedFile> good;  // one that is known to be readable
  for (const ListedFile& file : listing.files) {
    if (!unchanged(file)) changed.files.push_back(file);
    else if (!good && last.rows.contains(file.path)) good = file;
  }
  Source fresh;
  if (!changed.files.empty()) {
    // An extraction of which nothing succeeds is an error; here it only means that all that is new cannot be read.
    if (good) changed.files.push_back(*good);
    ExtractOptions options;
    options.output = update_name();
    options.batch = kBatch;
    options.decode = decode;
    extract_changed(changed, encoder, options, [&](std::uint64_t done, std::uint64_t failed) {
      if (progress) progress(done, changed.files.size(), failed);
    });
    fresh = open_source(update_name());
  }

  const auto source_of = [&](const ListedFile& file) -> const Source& {
    return fresh.knows(file.path) && !unchanged(file) ? fresh : last;
  };
  FolderUpdate report;
  std::uint64_t rows = 0;
  for (const ListedFile& file : listing.files) {
    const bool is_row = source_of(file).rows.contains(file.path);
    rows += is_row;
    (unchanged(file) ? report.reused : report.extracted) += is_row;
  }
  if (rows == 0) throw MissingInput("none of the folder's pictures can be read any more");
  SetWriter writer(name());
  writer.begin(*(fresh.set ? fresh : last).set->manifest(), rows);
  for (std::size_t i = 0; i < listing.files.size(); ++i) {
    const Source& source = source_of(listing.files[i]);
    const std::string& path = listing.files[i].path;
    if (const auto row = source.rows.find(path); row != source.rows.end()) writer.add(*source.set, row->second, i);
    else writer.add(source.failures.at(path), i);
  }
  report.failed = writer.commit();
  return report;
}

void FolderSet::clean_up() const {
  const SetPaths paths = set_paths(update_name());
  std::error_code ignored;
  for (const std::string& path : {paths.npy, paths.rows, paths.manifest, paths.failed, paths.state})
    std::filesystem::remove_all(path, ignored);
}

}  // namespace cbir
