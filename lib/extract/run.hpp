#pragma once
/// The frame of a run that makes a set, whatever of: going on, refusing, counting failures, publishing.

#include <functional>

#include <cbir/extract/extract.hpp>

#include "reuse.hpp"
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

/// Encodes the items from state.counts().items on, but for what is taken over if there is something to be, and records
/// them.
using EncodeItems = std::function<void(const Encoder&, State&, const Reuse*)>;

/// What the manifest says besides counts and checksums.
Manifest manifest_of(const EncoderChoice& choice, const Encoder& encoder, const ExtractOptions& options,
                     const Listing& listing);

/// What items of the set have for rows.
ItemRows item_rows(const ExtractOptions& options);

/// What the encoder's precision and device came to.
std::string arithmetic_of(const Encoder& encoder);

/// Throws MissingInput if more has failed than is allowed, or, of a run at its end, all has; but of a part of a list
/// that says nothing.
void check_failures(const State& state, const ExtractOptions& options, std::size_t total);
void check_rows(const State& state, const Listing& listing);

/// Does nothing if the set is finished and its inputs are unchanged, else goes on with it or begins it, and publishes
/// it. Throws as extract().
ExtractReport make_set(const Arguments& arguments, const Items& items, const EncoderChoice& choice,
                       const ExtractOptions& options, const EncodeItems& encode);

/// Whether the options want the run to end before its next batch.
bool wants_stop(const ExtractOptions& options);

/// Adds a batch of `total` items to the set. Throws MissingInput if too many have failed.
void record(const BatchOutput& batch, State& state, const ExtractOptions& options, std::size_t total,
            const ExtractProgress& progress);

}  // namespace cbir
