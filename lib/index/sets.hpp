#pragma once
/// Embedding sets that are to go into one index.

#include <optional>
#include <string>
#include <vector>

#include <cbir/index/index.hpp>

#include "lib/index/meta.hpp"

namespace cbir {

/// Opens sets that go together; "NAME.*-of-4" names all parts that are there. Throws UsageError (none), MissingInput
/// (no rows), Incompatible (other dimensions; other encoders, unless `allow_mismatch`).
std::vector<EmbeddingSet> open_sets(const std::vector<std::string>& names, bool allow_mismatch);

/// The parts of a list that the sets are of; nothing if they are all of them, or of none. Throws as join_shards().
std::optional<Shards> shards_of(const std::vector<EmbeddingSet>& sets, bool partial);

/// "photos (encoder NAME, fingerprint 0123...)", for messages.
std::string described(const std::string& name, const std::string& encoder, const std::string& fingerprint);
std::string described(const EmbeddingSet& set);

/// Empty if it is not known.
std::string fingerprint_of(const EmbeddingSet& set);

/// As in Manifest; empty if its rows are as the encoder made them.
std::string augmentation_of(const EmbeddingSet& set);

/// Throws Incompatible if rows of the one were averaged with their neighbours, and those of the other were not, or with
/// others.
void check_augmentations(const std::string& name, const std::string& augmentation, const std::string& other,
                         const std::string& other_augmentation);

/// Whether the set says that its vectors have norm 1.
bool is_unit(const EmbeddingSet& set);

std::uint64_t rows_of(const std::vector<EmbeddingSet>& sets);

/// Throws UsageError if `output` would replace a file of a set.
void refuse_to_replace_sets(const std::string& output, const std::vector<EmbeddingSet>& sets);

/// Throws UsageError for "-": an index is written to a file.
void refuse_standard_output(const std::string& output);

/// The lock of a file that is to be replaced, so that it is not changed meanwhile; none if there is no such file.
/// Throws Locked.
Fd lock_replaced(const std::string& output);

}  // namespace cbir
