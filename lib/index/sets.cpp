#include "lib/index/sets.hpp"

#include <fmt/format.h>
#include <sys/stat.h>

#include <cbir/base/error.hpp>
#include <cbir/base/file.hpp>
#include <cbir/base/text.hpp>

namespace cbir {

std::string described(const std::string& name, const std::string& encoder, const std::string& fingerprint) {
  if (fingerprint.empty()) return fmt::format("{} (encoder unknown)", display_path(name));
  return fmt::format("{} (encoder {}, fingerprint {})", display_path(name), encoder, fingerprint.substr(0, 12));
}

std::string described(const EmbeddingSet& set) {
  return described(set.name(), set.manifest() ? set.manifest()->encoder : "", fingerprint_of(set));
}

bool is_unit(const EmbeddingSet& set) { return set.manifest() && set.manifest()->normalization == "l2"; }

std::string fingerprint_of(const EmbeddingSet& set) {
  return set.manifest() ? set.manifest()->fingerprint : std::string();
}

std::string augmentation_of(const EmbeddingSet& set) {
  return set.manifest() ? set.manifest()->augmentation : std::string();
}

void check_augmentations(const std::string& name, const std::string& augmentation, const std::string& other,
                         const std::string& other_augmentation) {
  if (augmentation == other_augmentation) return;
  const auto said = [](const std::string& how) { return how.empty() ? "are not augmented" : "are augmented"; };
  throw Incompatible(
      fmt::format("rows of {} {}, those of {} {}{}: such rows cannot be compared. Augment all rows together "
                  "(--allow-mismatch joins them all the same)",
                  display_path(name), said(augmentation), display_path(other), said(other_augmentation),
                  augmentation.empty() || other_augmentation.empty() ? "" : " among others"));
}

std::vector<EmbeddingSet> open_sets(const std::vector<std::string>& names, bool allow_mismatch) {
  if (names.empty()) throw UsageError("no embedding set was given");
  std::vector<EmbeddingSet> sets;
  std::uint64_t rows = 0;
  for (const std::string& name : expand_shards(names)) {
    sets.push_back(EmbeddingSet::open(name));
    const EmbeddingSet &first = sets.front(), &set = sets.back();
    rows += set.rows();
    if (set.dim() != first.dim())
      throw Incompatible(fmt::format("{}: vectors of dimension {}, but {} has {}; sets of one index must agree",
                                     display_path(set.name()), set.dim(), display_path(first.name()), first.dim()));
    if (!allow_mismatch && fingerprint_of(set) != fingerprint_of(first))
      throw Incompatible(
          fmt::format("{} and {} are of different encoders; their vectors cannot be compared (--allow-mismatch "
                      "joins them all the same)",
                      described(first), described(set)));
    if (!allow_mismatch) check_augmentations(first.name(), augmentation_of(first), set.name(), augmentation_of(set));
  }
  if (rows == 0) throw MissingInput(fmt::format("{}: there are no rows to index", display_path(names.front())));
  if (sets.front().dim() == 0)
    throw Incompatible(fmt::format("{}: vectors have no elements", display_path(names.front())));
  return sets;
}

std::optional<Shards> shards_of(const std::vector<EmbeddingSet>& sets, bool partial) {
  std::vector<ShardSource> sources;
  for (const EmbeddingSet& set : sets)
    sources.push_back({set.name(), set.manifest() ? set.manifest()->shards : std::nullopt});
  return join_shards(sources, partial);
}

std::uint64_t rows_of(const std::vector<EmbeddingSet>& sets) {
  std::uint64_t rows = 0;
  for (const EmbeddingSet& set : sets) rows += set.rows();
  return rows;
}

void refuse_to_replace_sets(const std::string& output, const std::vector<EmbeddingSet>& sets) {
  for (const EmbeddingSet& set : sets) {
    const SetPaths paths = set_paths(set.name());
    refuse_to_replace(output, {paths.npy, paths.rows, paths.manifest});
  }
}

void refuse_standard_output(const std::string& output) {
  if (output == "-") throw UsageError("an index cannot be written to standard output; give a file name");
}

Fd lock_replaced(const std::string& output) {
  struct stat status {};
  if (stat(output.c_str(), &status) != 0 || !S_ISREG(status.st_mode)) return {};
  try {
    return open_locked(output, false);
  } catch (const MissingInput&) {
    return {};  // who may not read it can still replace it
  }
}

}  // namespace cbir
