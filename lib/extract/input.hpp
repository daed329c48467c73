#pragma once
/// Input files: reading them once, and telling whether they are still what they were.

#include <cstdint>
#include <string>
#include <vector>

#include <cbir/base/bytes.hpp>
#include <cbir/extract/picture.hpp>

struct stat;

namespace cbir {

Stamp stamp_of(const struct stat& status);
Stamp stamp_of(const std::string& path);

/// Whether size, inode and time of change are the same: the file is then taken to be unchanged, unless its stamp was
/// taken too soon (Stamp::fresh). That its permissions changed, or its names, does not matter.
bool same_file(const Stamp& a, const Stamp& b);

/// The first `wanted` bytes of a file, fewer if it has fewer. Throws MissingInput.
std::vector<std::byte> read_head(const std::string& path, std::size_t wanted);

/// A picture's file in memory.
struct InputFile {
  Stamp stamp;
  std::vector<std::byte> data;
};

/// What a file with a picture may hold at most; more is refused before it is read.
std::uint64_t max_file_bytes(const DecodeOptions& options);

/// Reads a regular file. One that is no picture is not read beyond its head, however large it is. `stamp` is set before
/// anything can fail. Throws MissingInput, or ResourceLimit beyond `max_bytes`; the message is the reason alone.
void read_input(const std::string& path, std::uint64_t max_bytes, InputFile& file);

/// Asks the system to fetch the file into its cache; returns at once, and errors are for whoever reads it.
void read_ahead(const std::string& path);

}  // namespace cbir
