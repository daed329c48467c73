#pragma once
/// What is known of each row of an embedding set: one JSON object a line (NAME.rows.jsonl).

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace cbir {

/// Of a part of a picture: left, top, and the first column and row behind it, in pixels of the upright picture.
using RowBox = std::array<int, 4>;

/// One row. Numbers that are not known are left out of the JSON line.
struct RowInfo {
  std::string path = {};                  ///< bytes; as "path" if UTF-8, else base64 as "path_b64"
  std::optional<std::string> label = {};  ///< UTF-8; a label that is not is written as "label_b64"
  bool text = false;                      ///< of a text, which `path` is
  std::string picture = {};               ///< the picture's path, as `path` is the row's own name; empty: `path` it is
  std::optional<RowBox> box = {};         ///< of a part of that picture
  std::optional<std::uint64_t> seq = {};  ///< position in the input list, which failures count too
  std::optional<std::uint64_t> bytes = {};
  std::optional<std::int64_t> mtime = {};      ///< nanoseconds since 1970, UTC
  std::optional<int> width = {}, height = {};  ///< upright
  std::string xxh3 = {};                       ///< of the file's bytes, 32 hex digits; empty if not known

  /// The path of the picture that the row was made of; empty if it was a text.
  const std::string& picture_path() const noexcept { return picture.empty() && !text ? path : picture; }
  bool operator==(const RowInfo&) const = default;
};

/// One line without its newline; keys in the order above, deterministic.
std::string to_json_line(const RowInfo& row);

/// Throws DamagedFile; `where` ("x.rows.jsonl line 7") begins the message. Unknown keys are ignored.
RowInfo parse_row(std::string_view line, std::string_view where);

/// One item that was skipped (NAME.failed.jsonl).
struct FailedItem {
  std::string path;
  std::uint64_t seq = 0;
  std::string stage;  ///< "read", "decode", "crop", "encode"
  std::string reason;

  bool operator==(const FailedItem&) const = default;
};

std::string to_json_line(const FailedItem& item);

/// As parse_row.
FailedItem parse_failed_item(std::string_view line, std::string_view where);

}  // namespace cbir
