#include "reuse.hpp"

#include <atomic>
#include <utility>

#include <cbir/base/error.hpp>
#include <cbir/base/hash.hpp>
#include <cbir/base/parallel.hpp>

#include "batch.hpp"
#include "input.hpp"
#include "run.hpp"

namespace cbir {
namespace {

/// Whether an unchanged file's stamp speaks for its content.
bool is_trusted(const Stamp& before, const Stamp& now) { return !before.fresh && same_file(before, now); }

/// Whether the row is of this box: the part that the box takes of its picture.
bool same_part(const RowInfo& row, const ListedFile& listed) {
  if (row.picture_path() != listed.path || !row.width || !row.height) return false;
  if (!listed.box) return !row.box;
  const std::optional<PixelBox> box = pixels_of(*listed.box, *row.width, *row.height);
  return box && row.box == RowBox{box->left, box->top, box->right, box->bottom};
}

/// What reading alone says of a file: its stamp, and its content or what is wrong.
struct Reading {
  Stamp stamp;
  Content content;
  std::string problem;
};

Reading read_again(const std::string& path, const DecodeOptions& options) {
  InputFile file;
  try {
    read_input(path, max_file_bytes(options), file);
  } catch (const Error& error) {
    return {.stamp = file.stamp, .content = {}, .problem = error.what()};
  }
  return {.stamp = file.stamp, .content = {.xxh3 = hex(xxh3(file.data)), .bytes = file.data.size()}, .problem = {}};
}

}  // namespace

Reuse::Reuse(const Listing& listing, const ExtractOptions& options, std::vector<const Previous*> sources)
    : listing_(listing), options_(options), sources_(std::move(sources)), verdicts_(listing.files.size()) {
  std::atomic<bool> stopped = false;
  parallel_blocks(verdicts_.size(), 64, [&](std::size_t begin, std::size_t end) {
    if (stopped || wants_stop(options_)) {
      stopped = true;
      return;
    }
    for (std::size_t i = begin; i < end; ++i) verdicts_[i] = judge(i);
  });
  stopped_ = stopped;
}

std::optional<Reuse::Place> Reuse::kept(std::size_t number) const {
  const Verdict& verdict = verdicts_[number];
  return verdict.kept ? std::optional(verdict.place) : std::nullopt;
}

std::optional<Reuse::Place> Reuse::find(const Content& content) const {
  for (std::size_t s = 0; s < sources_.size(); ++s)
    if (const auto item = sources_[s]->find(content))
      return Place{static_cast<std::uint32_t>(s), static_cast<std::uint32_t>(*item)};
  return {};
}

/// An item that stands where it stood is that item, though others may have its name.
std::optional<std::size_t> Reuse::find(const Previous& source, const ListedFile& listed, std::size_t number) const {
  if (number < source.size() && source.name(number) == listed.name()) return number;
  return source.find(listed.name());
}

Reuse::Verdict Reuse::judge(std::size_t number) const {
  const ListedFile listed = listing_.files[number];
  Verdict verdict{.stamp = stamp_of(listed.path), .place = {}};
  for (std::size_t s = 0; s < sources_.size() && !verdict.kept; ++s) {
    const Previous& source = *sources_[s];
    const auto item = find(source, listed, number);
    if (!item) continue;
    verdict.kept = source.rows(*item) > 0 ? keeps_row(source, *item, listed, verdict.stamp)
                                          : keeps_failure(source, *item, listed, verdict.stamp);
    verdict.place = {static_cast<std::uint32_t>(s), static_cast<std::uint32_t>(*item)};
  }
  return verdict;
}

bool Reuse::keeps_row(const Previous& source, std::size_t item, const ListedFile& listed, Stamp& now) const {
  if (!listed.problem.empty()) return false;
  const bool trusted = !options_.checksum && is_trusted(source.stamp(item), now);
  if (trusted && listed.id.empty() && !listed.box) return true;
  if (source.kind() == ItemRows::one && !same_part(source.row(item), listed)) return false;
  if (trusted) return true;
  const Content before = source.content(item);
  Reading reading = read_again(listed.path, options_.decode);
  reading.content.box = before.box;
  now = reading.stamp;
  return reading.problem.empty() && reading.content == before;
}

/// What failed to be read is cheap to try again, and may be readable now. What could not be decoded is left alone as
/// long as its file is unchanged, unless the machine was at fault, or a box may have been another.
bool Reuse::keeps_failure(const Previous& source, std::size_t item, const ListedFile& listed, Stamp& now) const {
  const FailedItem& before = source.failure(item);
  const auto fails_alike = [&](const std::string& reason) {
    return before.reason == failed_item(listed, listed.name(), 0, {before.stage, reason}).reason;
  };
  // What the reason begins with may be followed by how much there was.
  const std::string where = failed_item(listed, listed.name(), 0, {before.stage, ""}).reason;
  const bool lacked_memory = before.reason.starts_with(where + kOutOfMemory) || fails_alike(kDecoderKilled);
  if (before.stage == "read") {
    if (!listed.problem.empty()) return fails_alike(listed.problem);
    const Reading reading = read_again(listed.path, options_.decode);
    now = reading.stamp;
    return !reading.problem.empty() && fails_alike(reading.problem);
  }
  return listed.problem.empty() && before.stage == "decode" && !lacked_memory && !options_.checksum &&
         !options_.retry_failed && is_trusted(source.stamp(item), now);
}

bool Reuse::is_all_of_first() const {
  if (sources_.empty() || verdicts_.size() != sources_.front()->size()) return false;
  for (std::size_t i = 0; i < verdicts_.size(); ++i) {
    const Verdict& verdict = verdicts_[i];
    if (!verdict.kept || verdict.place != Place{0, static_cast<std::uint32_t>(i)}) return false;
    // A row says when its file was changed.
    if (sources_.front()->rows(i) > 0 && verdict.stamp.mtime != sources_.front()->stamp(i).mtime) return false;
  }
  return true;
}

bool Reuse::has_new_stamps() const {
  for (std::size_t i = 0; i < verdicts_.size(); ++i)
    if (!same_file(verdicts_[i].stamp, sources_.front()->stamp(i))) return true;
  return false;
}

}  // namespace cbir
