#pragma once
/// The frame of a run that makes a set, whatever of: going on, refusing, counting failures, publishing.

#include <functional>

#include <cbir/extract/extract.hpp>

#include "state.hpp"

namespace cbir {

/// Throws UsageError.
void validate(const ExtractOptions& options);

/// Digest of a list: paths, and what was wrong with them at listing.
std::string digest_of(const Listing& listing);

/// What a set is made of.
struct Items {
  const Listing& listing;
  const Listing* files;  ///< the same, if the items are files, which may have changed since; else nullptr
};

/// Encodes the items from state.counts().items on, and records them.
using EncodeItems = std::function<void(const Encoder&, State&)>;

/// Does nothing if the set is finished and its inputs are unchanged, else goes on with it or begins it, and publishes
/// it. Throws as extract().
ExtractReport make_set(const Arguments& arguments, const Items& items, const EncoderChoice& choice,
                       const ExtractOptions& options, const EncodeItems& encode);

/// Adds a batch of `total` items to the set. Throws MissingInput if too many have failed.
void record(const BatchOutput& batch, State& state, const ExtractOptions& options, std::size_t total,
            const ExtractProgress& progress);

}  // namespace cbir
