#include <cbir/extract/local.hpp>

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <span>

#include <cbir/base/error.hpp>
#include <cbir/base/file.hpp>
#include <cbir/base/hash.hpp>
#include <cbir/base/parallel.hpp>
#include <cbir/base/text.hpp>
#include <cbir/local/pairs.hpp>
#include <cbir/store/set.hpp>

#include "memory_plan.hpp"

namespace cbir {
namespace {

constexpr std::size_t kRowsAThread = 8;  // whose records are in memory together
constexpr std::size_t kKeypoint = 1024;  // bytes of a keypoint and its descriptor, at most
constexpr int kUnboundedSide = 4096;     // of pictures that are looked at in their own size

std::string reason() { return std::strerror(errno); }

Xxh3 digest_of(const std::string& digits) {
  Xxh3 out{};
  for (std::size_t i = 0; i < out.size() && digits.size() == 2 * out.size(); ++i)
    out[i] = static_cast<std::uint8_t>(std::stoul(digits.substr(2 * i, 2), nullptr, 16));
  return out;
}

LocalSource source_of(const RowInfo& row) {
  return {.name = row.path, .box = row.box.value_or(RowBox{}), .picture = digest_of(row.xxh3)};
}

/// The records so far, NAME.state/local: each says itself whether it is whole, so that a run that was stopped at any
/// moment is gone on with where the first is missing.
class Unfinished {
 public:
  Unfinished(std::string path, const LocalFileInfo& info) : path_(std::move(path)), info_(info) {
    fd_ = Fd(::open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666));
    if (!fd_) throw OutputError(fmt::format("{}: cannot be opened: {}", display_path(path_), reason()));
  }

  /// How many rows from the first on have their records here. Throws Incompatible if these are other features.
  std::size_t resume(const EmbeddingSet& set) {
    const auto size = static_cast<std::size_t>(lseek(fd_.get(), 0, SEEK_END));
    const MappedFile file(fd_, size, path_);
    const Bytes bytes = file.bytes();
    if (size < kLocalHead || !begun(bytes)) return 0;
    std::size_t rows = 0;
    for (length_ = kLocalHead; rows < set.rows(); ++rows) {
      const std::size_t record = sound_record(bytes.subspan(length_), info_.kind, source_of(set.row(rows)));
      if (record == 0) break;
      length_ += record;
    }
    return rows;
  }

  /// Drops what lies behind the sound records; of none begins anew.
  void begin() {
    if (ftruncate(fd_.get(), static_cast<off_t>(length_)) != 0 || lseek(fd_.get(), 0, SEEK_END) < 0)
      throw OutputError(fmt::format("{}: cannot be shortened: {}", display_path(path_), reason()));
    if (length_ == 0) append(head_room());
    else write_all_at(fd_.get(), 0, as_bytes(head_room()), path_);
  }

  void append(std::string_view record) {
    write_all(fd_.get(), as_bytes(record), path_);
    length_ += record.size();
  }

  /// Makes a file of the records, and puts it in place.
  void publish(const std::string& to) {
    const LocalFrame frame = frame_local_records(MappedFile(fd_, length_, path_).bytes(), info_, path_);
    append(frame.tail);
    write_all_at(fd_.get(), 0, as_bytes(frame.head), path_);
    if (fsync(fd_.get()) != 0)
      throw OutputError(fmt::format("{}: cannot be synchronised to disk: {}", display_path(path_), reason()));
    if (std::rename(path_.c_str(), to.c_str()) != 0)
      throw OutputError(fmt::format("{}: cannot be put in place: {}", display_path(to), reason()));
    sync_directory(parent_path(to));
  }

 private:
  /// Whether records of these features follow. A run that was stopped while it finished the file left the head of that.
  bool begun(Bytes bytes) const {
    constexpr std::string_view kBeginning = "unfinished\n";
    if (as_text(bytes.first(kLocalHead)) == head_room()) return true;
    if (!as_text(bytes).starts_with(kBeginning)) {
      try {
        const LocalFileInfo info = LocalFile::open(path_).info();
        if (info.kind == info_.kind && info.keypoints == info_.keypoints && info.max_side == info_.max_side)
          return true;
      } catch (const Error&) {
        return false;  // written half
      }
    }
    throw Incompatible(fmt::format(
        "{}: an unfinished run of other features is there; run it with the same --local and --keypoints to go "
        "on, or with --force to drop what it did",
        display_path(path_)));
  }

  /// Before the file is finished, its head's room says what the records are of.
  std::string head_room() const {
    std::string text = fmt::format("unfinished\n{}\n{}\n{}\n{}\n", info_.kind.name, info_.kind.fingerprint,
                                   info_.keypoints, info_.max_side);
    text.resize(kLocalHead);
    return text;
  }

  std::string path_;
  LocalFileInfo info_;
  Fd fd_;
  std::size_t length_ = 0;
};

/// The file that is there, if features can be taken over from it. Throws OutputError if it may not be replaced.
std::optional<LocalFile> earlier(const std::string& path, const LocalFileInfo& info, bool force) {
  if (!exists(path)) return {};
  try {
    LocalFile file = LocalFile::open(path);
    if (file.info().kind == info.kind && file.info().keypoints == info.keypoints &&
        file.info().max_side == info.max_side)
      return file;
    if (!force)
      throw OutputError(fmt::format("{}: exists already, with {} features '{}' a picture; --force replaces it",
                                    display_path(path), file.info().keypoints, file.info().kind.name));
  } catch (const DamagedFile&) {
    if (!force) throw;
  } catch (const Incompatible&) {
    if (!force) throw;
  }
  return {};
}

class Run {
 public:
  Run(const EmbeddingSet& set, const LocalExtractor& extractor, const DecodeOptions& decode,
      const std::optional<LocalFile>& before, LocalReport& report)
      : set_(set), extractor_(extractor), decode_(decode), before_(before), report_(report) {}

  /// False if it was stopped.
  bool rows(std::size_t first, Unfinished& out, const ExtractProgress& progress, const std::function<bool()>& stop) {
    const std::size_t block = kRowsAThread * worker_threads();
    std::vector<Made> made(block);
    for (; first < set_.rows(); first += block) {
      report_.done = first;
      if (stop && stop()) return false;
      const std::size_t count = std::min(block, set_.rows() - first);
      parallel_blocks(count, 1, [&](std::size_t i, std::size_t) { made[i] = make(set_.row(first + i)); });
      for (std::size_t i = 0; i < count; ++i) {
        out.append(made[i].record);
        report_.taken_over += made[i].taken_over;
        if (made[i].problem.empty()) continue;
        if (report_.failed++ == 0) report_.first_failure = made[i].problem;
      }
      if (progress) progress(first + count, report_.failed);
    }
    report_.done = set_.rows();
    return true;
  }

 private:
  struct Made {
    std::string record, problem;
    bool taken_over = false;
  };

  Made make(const RowInfo& row) const {
    const LocalSource source = source_of(row);
    if (before_) {
      const Bytes known = before_->find_record(source);
      if (!known.empty()) return {.record = std::string(as_text(known)), .problem = {}, .taken_over = true};
    }
    const std::optional<PixelBox> box =
        row.box ? std::optional(PixelBox{source.box[0], source.box[1], source.box[2], source.box[3]}) : std::nullopt;
    const PictureFeatures found = features_of_file(row.picture_path(), extractor_, decode_, box);
    return {.record = local_record(extractor_.kind(), source, found.features ? *found.features : LocalFeatures{}),
            .problem = found.problem};
  }

  const EmbeddingSet& set_;
  const LocalExtractor& extractor_;
  const DecodeOptions& decode_;
  const std::optional<LocalFile>& before_;
  LocalReport& report_;
};

/// False if it was stopped.
bool run_within_memory(const EmbeddingSet& set, const LocalExtractor& extractor, const LocalOptions& options,
                       const DecodeOptions& decode, const std::optional<LocalFile>& before, LocalReport& report,
                       Unfinished& unfinished, const ExtractProgress& progress, const std::function<bool()>& stop) {
  const int side = options.max_side > 0 ? options.max_side : kUnboundedSide;
  const MemoryPlan plan = plan_memory({.what = fmt::format("finding features '{}'", options.features),
                                       .trial = [&] { extractor.extract(busy_picture(side)); },
                                       .inputs = kRowsAThread * options.keypoints * kKeypoint},
                                      worker_threads());
  MemoryBudget memory(plan.pictures);
  DecodeOptions within = decode;
  within.memory = &memory;
  const ThreadLimit limit(plan.threads);
  return Run(set, extractor, within, before, report).rows(report.taken_over, unfinished, progress, stop);
}

}  // namespace

LocalReport extract_local(const std::string& name, const LocalOptions& options, const DecodeOptions& decode, bool force,
                          const ExtractProgress& progress, const std::function<bool()>& stop) {
  const SetPaths paths = set_paths(name);
  make_directories(paths.state);
  const FileLock lock(paths.state + "/lock");
  const EmbeddingSet set = EmbeddingSet::open(paths.manifest, false);
  if (set.rows() > 0 && set.row(0).text)
    throw Incompatible(fmt::format("{}: is made of texts, which have no keypoints", display_path(name)));
  std::unique_ptr<LocalExtractor> extractor;
  within_memory(fmt::format("loading features '{}'", options.features),
                [&] { extractor = open_local_extractor(options); });
  const LocalFileInfo info{.kind = extractor->kind(),
                           .keypoints = options.keypoints,
                           .max_side = options.max_side,
                           .rows_xxh3 = set.manifest() ? set.manifest()->rows_xxh3 : ""};
  const std::string path = local_path(paths.manifest);
  const std::optional<LocalFile> before = earlier(path, info, force);
  LocalReport report{.pictures = set.rows()};
  if (before && before->info().rows_xxh3 == info.rows_xxh3 && before->size() == set.rows()) {
    report.nothing_to_do = true;
  } else {
    const std::string part = paths.state + "/local";
    if (force && unlink(part.c_str()) != 0 && errno != ENOENT)
      throw OutputError(fmt::format("{}: cannot be removed: {}", display_path(part), reason()));
    Unfinished unfinished(part, info);
    report.taken_over = unfinished.resume(set);
    unfinished.begin();
    report.stopped = !run_within_memory(set, *extractor, options, decode, before, report, unfinished, progress, stop);
    if (report.stopped) return report;
    unfinished.publish(path);
  }
  report.keypoints = LocalFile::open(path).keypoints();
  return report;
}

}  // namespace cbir
