#include "update.hpp"

#include <fmt/format.h>

#include <optional>

#include <cbir/base/error.hpp>
#include <cbir/base/file.hpp>
#include <cbir/base/log.hpp>
#include <cbir/base/text.hpp>

#include "memory_plan.hpp"

namespace cbir {
namespace {

[[noreturn]] void refuse(const std::string& path, const std::string& what, const std::string& difference) {
  throw Incompatible(
      fmt::format("{}: {}, but {}; --update keeps to the arguments that a set was made with, --force "
                  "makes it anew",
                  display_path(path), what, difference));
}

/// Throws unless whatever is there was made with these arguments.
void check_arguments(const State& state, const std::optional<Earlier>& finished, const Arguments& arguments,
                     const std::optional<std::string>& arithmetic) {
  if (finished)
    if (const std::string difference = State::describe_conflict(*finished, arguments, arithmetic); !difference.empty())
      refuse(state.paths().manifest, "a finished set", difference);
  if (state.is_unfinished())
    if (const std::string difference = state.describe_conflict(arguments, arithmetic); !difference.empty())
      refuse(state.paths().state, "an unfinished run is there", difference);
}

/// What a stopped run had done; nothing if it does not fit, or is damaged: then it is only made again.
std::optional<Previous> open_salvaged(const State& state, const Arguments& arguments, const std::string& arithmetic,
                                      ItemRows rows) {
  const auto salvaged = state.salvaged();
  if (!salvaged || !State::describe_conflict(*salvaged, arguments, arithmetic).empty()) return {};
  try {
    return Previous(salvaged->set, salvaged->inputs(), rows);
  } catch (const Error& error) {
    log(LogLevel::warning, fmt::format("what a stopped run had done cannot be taken over: {}", error.what()));
    return {};
  }
}

std::vector<std::byte> stamps_of(const Reuse& reuse, std::size_t count) {
  std::vector<std::byte> out;
  out.reserve(count * sizeof(Stamp));
  for (std::size_t i = 0; i < count; ++i) {
    const Bytes stamp = std::as_bytes(std::span(&reuse.stamp(i), 1));
    out.insert(out.end(), stamp.begin(), stamp.end());
  }
  return out;
}

/// Whether the set is what a fresh run would make of the files as they are.
bool is_up_to_date(const State& state, const Earlier& finished, const Arguments& arguments, const Reuse& reuse) {
  return finished.folder == state.paths().state && reuse.is_all_of_first() &&
         describe_difference(read_arguments(finished.folder + "/arguments"), arguments).empty();
}

std::string to_text(const Changes& changes) {
  return fmt::format("{} {} {} {} {}\n", changes.added, changes.changed, changes.moved, changes.deleted,
                     changes.unchanged);
}

/// What was counted before a run was stopped that had replaced the old set already.
std::optional<Changes> parse_changes(const std::string& text) {
  Changes changes;
  std::uint64_t* const fields[] = {&changes.added, &changes.changed, &changes.moved, &changes.deleted,
                                   &changes.unchanged};
  const std::vector<std::string_view> words = split(std::string_view(text).substr(0, text.find('\n')), ' ');
  if (words.size() != std::size(fields)) return {};
  for (std::size_t i = 0; i < words.size(); ++i)
    if (!parse_number(words[i], *fields[i])) return {};
  return changes;
}

/// One update, from the lock to the report.
class Update {
 public:
  Update(const Arguments& arguments, const Listing& files, const EncoderChoice& choice, const ExtractOptions& options)
      : arguments_(arguments), files_(files), choice_(choice), options_(options), state_(options.output) {}

  ExtractReport run(const EncodeItems& encode) {
    finished_ = state_.finished_set();
    if (!state_.is_unfinished()) state_.refuse_foreign_files();
    check_arguments(state_, finished_, arguments_, {});
    if (finished_) before_.emplace(finished_->set, finished_->inputs(), item_rows(options_));
    if (before_ && !state_.is_unfinished() && is_up_to_date()) return std::move(report_);
    if (!report_.stopped) make(encode);
    return std::move(report_);
  }

 private:
  std::size_t total() const { return files_.files.size(); }

  /// Looks without touching anything, but for stamps that are out of date.
  bool is_up_to_date() {
    const Reuse reuse(files_, options_, {&*before_});
    report_.stopped = reuse.stopped();
    if (reuse.stopped() || !cbir::is_up_to_date(state_, *finished_, arguments_, reuse)) return false;
    if (reuse.has_new_stamps()) state_.write_stamps(stamps_of(reuse, total()));
    state_.tidy();
    report_.nothing_to_do = true;
    report_.rows = before_->manifest().rows;
    report_.failed = before_->manifest().failed;
    report_.changes = Changes{.unchanged = total()};
    report_.first_failure = state_.first_failure();
    return true;
  }

  void make(const EncodeItems& encode) {
    const std::unique_ptr<Encoder> encoder = open_within_memory(choice_);
    const std::string arithmetic = arithmetic_of(*encoder);
    check_arguments(state_, finished_, arguments_, arithmetic);
    const Manifest manifest = manifest_of(choice_, *encoder, options_, files_);
    const bool resumes = begin(manifest, arithmetic);
    const std::optional<Previous> salvaged = open_salvaged(state_, arguments_, arithmetic, item_rows(options_));
    std::vector<const Previous*> sources;
    if (salvaged) sources.push_back(&*salvaged);
    if (before_) sources.push_back(&*before_);
    const Reuse reuse(files_, options_, sources);
    report_.stopped = reuse.stopped();
    if (report_.stopped) return;
    if (!resumes) start(arithmetic);
    report_.resumed = report_.done = state_.counts().items;
    check_failures(state_, options_, total());
    encode(*encoder, state_, &reuse);
    finish(manifest);
  }

  /// Goes on with an unfinished run, or sees to it that what it did is not lost. Returns whether it goes on.
  bool begin(const Manifest& manifest, const std::string& arithmetic) {
    if (!state_.is_unfinished()) return false;
    if (state_.fits(arguments_, files_)) {
      state_.resume(arguments_, arithmetic, &files_);
      log(LogLevel::info, fmt::format("going on after {} of {}", state_.counts().items, counted(total(), "item")));
      return true;
    }
    state_.salvage(manifest);
    log(LogLevel::info,
        fmt::format("files were changed since a run was stopped, which had done {}; what it did is used",
                    counted(state_.counts().items, "item")));
    return false;
  }

  void start(const std::string& arithmetic) {
    const bool replaces = finished_ || state_.replaces();
    state_.keep_finished();
    state_.start(arguments_, arithmetic, replaces);
  }

  void finish(const Manifest& manifest) {
    report_.resumed += state_.kept();
    report_.done = state_.counts().items;
    report_.rows = state_.counts().rows;
    report_.failed = state_.counts().failed;
    report_.encoded = state_.encoded();
    report_.stopped = report_.done < total();
    if (report_.stopped) return;
    check_rows(state_, files_);
    count_changes();
    report_.nothing_to_do = state_.leave_unchanged(manifest);
    if (!report_.nothing_to_do) state_.publish(manifest);
    report_.first_failure = state_.first_failure();
  }

  void count_changes() {
    if (before_) {
      report_.changes =
          compare(*before_, state_.part_path(kRows), state_.part_path(kFailed), state_.part_path(kInputs));
      state_.write_changes(to_text(*report_.changes));
    } else {
      report_.changes = parse_changes(state_.read_changes()).value_or(Changes{.added = total()});
    }
  }

  const Arguments& arguments_;
  const Listing& files_;
  const EncoderChoice& choice_;
  const ExtractOptions& options_;
  State state_;
  std::optional<Earlier> finished_;
  std::optional<Previous> before_;  ///< the finished set
  ExtractReport report_;
};

}  // namespace

ExtractReport update_set(const Arguments& arguments, const Listing& files, const EncoderChoice& choice,
                         const ExtractOptions& options, const EncodeItems& encode) {
  return Update(arguments, files, choice, options).run(encode);
}

}  // namespace cbir
