#pragma once
/// What the parsers of all kinds of presets share.

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include <cbir/encoder/preset.hpp>

#include "fields.hpp"

namespace cbir {

/// Throws DamagedFile, for a key that stands twice, too.
nlohmann::json parse_preset_document(std::string_view json, const std::string& name);

/// Reads the fields that every preset has. Throws DamagedFile. `document` is what `fields` reads.
void parse_preset_head(Fields& fields, const nlohmann::json& document, PresetHead& out);

}  // namespace cbir
