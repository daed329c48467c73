#pragma once
/// An index of a folder of pictures, kept in a cache and brought up to date when it is asked for.
///
///     CACHE/folders/<key>/      key: of the folder's absolute path, the encoder's fingerprint and the decoder's
///     options
///       folder                  that path, for people
///       lock                    held by a run that refreshes
///       pictures.*              the embedding set of all pictures
///       stamps                  path, size, times and inode of each listed file when the set was made
///       <digest of stamps>.cbir the index; one whose digest is that of the folder as it is now is up to date
///       update.*                an extraction at work; a run that was stopped goes on with it

#include <cstdint>
#include <functional>
#include <string>

#include <cbir/extract/extract.hpp>
#include <cbir/query/query.hpp>

namespace cbir {

struct FolderOptions {
  std::string cache = {};  ///< empty: $XDG_CACHE_HOME/cbir, else ~/.cache/cbir
  DecodeOptions decode = {};
};

struct FolderIndex {
  std::string path;             ///< of the index
  PathPrefix prefix = {};       ///< from paths in the index to paths below the folder as given
  std::uint64_t extracted = 0;  ///< pictures that went through the network now
  std::uint64_t reused = 0;     ///< pictures taken over from the last time
  std::uint64_t failed = 0;     ///< pictures of the folder that could not be read
  std::string failures = {};    ///< the file that lists them
};

/// Of the pictures that go through the network.
using FolderProgress = std::function<void(std::uint64_t done, std::uint64_t total, std::uint64_t failed)>;

/// Lists the folder, and if it is not as it was, extracts what is new or changed and rebuilds the index. Vectors of
/// pictures that did not change are taken over. Throws MissingInput (no such folder, no picture in it, none that can be
/// read), Locked (another run refreshes the same folder), OutputError, and as extract() does.
FolderIndex refresh_folder_index(const std::string& folder, const EncoderChoice& encoder, const FolderOptions& options,
                                 const FolderProgress& progress = {});

}  // namespace cbir
