#pragma once
#include <string>

#include <cbir/base/bytes.hpp>

namespace cbir::text {

/// The content of a gzip file of one member (RFC 1952). Throws DamagedFile if it is none, is cut short, has another
/// checksum, has bytes behind it, or unpacks to more than `max_bytes`. `name` is the file's name, for messages.
std::string gunzip(Bytes data, const std::string& name, std::size_t max_bytes);

}  // namespace cbir::text
