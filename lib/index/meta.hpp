#pragma once
/// What an index says of itself: a JSON object in its description section.

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <cbir/index/index.hpp>

namespace cbir {

/// The types of index that there are.
inline constexpr std::string_view kStructureTypes[] = {"flat", "ivf", "hnsw", "lsh"};

struct IndexMeta {
  std::string type = "flat";
  Metric metric = Metric::cosine;
  std::uint64_t dim = 0;
  std::string normalization = "none";  ///< of the stored vectors: "l2" or "none"
  std::string encoder = {}, fingerprint = {}, preset = {};
  std::string augmentation = {};  ///< as in Manifest
  std::map<std::string, std::uint64_t> parameters =
      {};  ///< of the structure: what it was made by, how far searches look
  std::optional<Cutoff> cutoff = {};
  std::optional<Shards> shards = {};  ///< as in IndexInfo

  /// Throws DamagedFile if there is no such parameter.
  std::uint64_t parameter(const std::string& key, const std::string& name) const;
};

/// Keys sorted, no spaces: the same description gives the same bytes.
std::string to_json(const IndexMeta& meta);
/// Throws DamagedFile; Incompatible for a type or metric that this version does not know.
IndexMeta parse_meta(std::string_view json, const std::string& name);

}  // namespace cbir
