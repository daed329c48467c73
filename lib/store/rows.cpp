#include <cbir/store/rows.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <utility>

#include <cbir/base/text.hpp>

#include "json.hpp"

namespace cbir {
namespace {

/// A JSON string (RFC 8259): quotes, backslashes and control characters escaped, the rest as it is.
void append_quoted(std::string& out, std::string_view text) {
  out += '"';
  for (const char c : text) {
    const auto code = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += {'\\', c};
    } else if (code >= 0x20) {
      out += c;
    } else if (code >= 8 && code <= 13 && code != 11) {
      out += {'\\', "btn?fr"[code - 8U]};  // U+000B has no short form
    } else {
      fmt::format_to(std::back_inserter(out), "\\u{:04x}", code);
    }
  }
  out += '"';
}

/// "key":"text", or "key_b64":"..." if the text isn't UTF-8. `begin` is what comes before: '{' or ','.
void append_bytes(std::string& out, char begin, std::string_view key, std::string_view bytes) {
  const bool plain = is_utf8(bytes);
  fmt::format_to(std::back_inserter(out), "{}\"{}{}\":", begin, key, plain ? "" : "_b64");
  append_quoted(out, plain ? bytes : base64_encode(bytes));
}

template <typename T>
void append_number(std::string& out, std::string_view key, const std::optional<T>& value) {
  if (value) fmt::format_to(std::back_inserter(out), ",\"{}\":{}", key, *value);
}

bool is_xxh3(std::string_view text) {
  return text.size() == 32 && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

// The keys below came late: under them, what is of another type belongs to somebody else.

std::string picture_of(const JsonFields<nlohmann::json>& fields) {
  for (const char* key : {"picture", "picture_b64"})
    if (const nlohmann::json* field = fields.find(key); field && !field->is_string()) return "";
  return fields.bytes("picture", "picture_b64").value_or("");
}

std::optional<RowBox> box_of(const JsonFields<nlohmann::json>& fields) {
  const nlohmann::json* field = fields.find("box");
  if (!field) return {};
  RowBox box{};
  const auto is_edge = [](const nlohmann::json& edge) {
    return edge.is_number_unsigned() && edge.get<std::uint64_t>() <= std::numeric_limits<int>::max();
  };
  if (!field->is_array() || field->size() != box.size() || !std::ranges::all_of(*field, is_edge)) return {};
  std::ranges::transform(*field, box.begin(), [](const nlohmann::json& edge) { return edge.get<int>(); });
  return box;
}

}  // namespace

std::string to_json_line(const RowInfo& row) {
  std::string out;
  out.reserve(row.path.size() + 160);
  append_bytes(out, '{', "path", row.path);
  if (row.label) append_bytes(out, ',', "label", *row.label);
  if (row.text) out += ",\"text\":true";
  if (!row.picture.empty()) append_bytes(out, ',', "picture", row.picture);
  if (row.box) {
    const RowBox& box = *row.box;
    fmt::format_to(std::back_inserter(out), ",\"box\":[{},{},{},{}]", box[0], box[1], box[2], box[3]);
  }
  append_number(out, "seq", row.seq);
  append_number(out, "bytes", row.bytes);
  append_number(out, "mtime", row.mtime);
  append_number(out, "width", row.width);
  append_number(out, "height", row.height);
  if (!row.xxh3.empty()) append_bytes(out, ',', "xxh3", row.xxh3);
  out += '}';
  return out;
}

RowInfo parse_row(std::string_view line, std::string_view where) {
  const JsonFields<nlohmann::json> fields(line, where);
  const auto side = [&](const char* key) -> std::optional<int> {
    const auto value = fields.count(key);
    if (!value) return {};
    if (*value > std::numeric_limits<int>::max()) fields.fail(fmt::format("\"{}\" is {}", key, *value));
    return static_cast<int>(*value);
  };
  RowInfo row;
  row.path = fields.required(fields.bytes("path", "path_b64"), "path");
  row.label = fields.bytes("label", "label_b64");
  row.text = fields.is_true("text");
  row.picture = picture_of(fields);
  row.box = box_of(fields);
  row.seq = fields.count("seq");
  row.bytes = fields.count("bytes");
  row.mtime = fields.integer("mtime");
  row.width = side("width");
  row.height = side("height");
  row.xxh3 = fields.text("xxh3").value_or("");
  if (!row.xxh3.empty() && !is_xxh3(row.xxh3)) fields.fail("\"xxh3\" must be 32 hexadecimal digits");
  return row;
}

std::string to_json_line(const FailedItem& item) {
  std::string out;
  append_bytes(out, '{', "path", item.path);
  append_number(out, "seq", std::optional(item.seq));
  append_bytes(out, ',', "stage", item.stage);
  append_bytes(out, ',', "reason", item.reason);
  out += '}';
  return out;
}

FailedItem parse_failed_item(std::string_view line, std::string_view where) {
  const JsonFields<nlohmann::json> fields(line, where);
  return {.path = fields.required(fields.bytes("path", "path_b64"), "path"),
          .seq = fields.required(fields.count("seq"), "seq"),
          .stage = fields.required(fields.text("stage"), "stage"),
          .reason = fields.required(fields.bytes("reason", "reason_b64"), "reason")};
}

}  // namespace cbir
