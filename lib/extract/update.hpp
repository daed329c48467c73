#pragma once
/// Bringing a set up to date: a run over the whole list that takes over what it can. So its result is that of a fresh
/// run, and stopping and going on, and the set that stays whole until the new one is finished, are as for any run.
///
/// What it takes over comes from the finished set, and from what a stopped run had done whose list was another: neither
/// is touched before the new set is there.

#include "run.hpp"

namespace cbir {

/// Throws as make_set(), and Incompatible if the set, or an unfinished run, is of other arguments.
ExtractReport update_set(const Arguments& arguments, const Listing& files, const EncoderChoice& choice,
                         const ExtractOptions& options, const EncodeItems& encode);

/// Compares a set with rows and failures that are to replace it. `rows`, `failed`, `stamps` are files.
Changes compare(const Previous& before, const std::string& rows, const std::string& failed, const std::string& stamps);

}  // namespace cbir
