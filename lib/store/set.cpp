#include <cbir/store/set.hpp>

#include <fmt/format.h>

#include <cstring>

#include <cbir/base/error.hpp>
#include <cbir/base/hash.hpp>
#include <cbir/base/text.hpp>
#include <cbir/store/npy_pair.hpp>

#include "json.hpp"

namespace cbir {
namespace {

using OrderedJson = nlohmann::ordered_json;

constexpr const char* kFormat = "cbir embedding set";

/// Digest of the manifest itself: of the object without its last field, as compact JSON.
std::string digest_of(const OrderedJson& json) { return hex(xxh3(as_bytes(json.dump()))); }

void check_digest(Bytes file, const std::string& expected, const std::string& path) {
  const std::string found = hex(xxh3(file));
  if (found != expected)
    throw DamagedFile(
        fmt::format("{}: found XXH3 {}, expected {} as the manifest says: the file was changed or damaged; "
                    "extract the set again",
                    display_path(path), found, expected));
}

/// Where lines begin, and the end of the last.
std::vector<std::uint64_t> find_lines(Bytes file, const std::string& path) {
  const std::string_view text = as_text(file);
  if (!text.empty() && !text.ends_with('\n'))
    throw DamagedFile(fmt::format("{}: the last line does not end: the file was cut short", display_path(path)));
  std::vector<std::uint64_t> offsets = {0};
  for (std::size_t at = 0; at < text.size();) {
    const void* end = std::memchr(text.data() + at, '\n', text.size() - at);
    at = static_cast<std::size_t>(static_cast<const char*>(end) - text.data()) + 1;
    offsets.push_back(at);
  }
  return offsets;
}

/// Whether a run of cbir-extract was stopped before the set was finished.
bool is_unfinished(const SetPaths& paths) { return exists(paths.state + "/journal"); }

[[noreturn]] void nothing_there(const SetPaths& paths, const std::string& name) {
  if (is_unfinished(paths))
    throw MissingInput(
        fmt::format("{}: this set is unfinished; the same call of cbir-extract goes on with it", display_path(name)));
  throw MissingInput(fmt::format("{}: no such set: neither {} nor {} is there", display_path(name),
                                 display_path(paths.manifest), display_path(paths.npy)));
}

bool is_hex(std::string_view text, std::size_t digits) {
  return text.size() == digits && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

/// What every manifest must satisfy, whoever wrote it.
void check_manifest(const Manifest& manifest, const JsonFields<OrderedJson>& fields) {
  if (manifest.metric != "cosine" && manifest.metric != "dot" && manifest.metric != "l2")
    fields.fail(fmt::format("found metric '{}', expected cosine, dot or l2", display_path(manifest.metric)));
  if (manifest.normalization != "l2" && manifest.normalization != "none")
    fields.fail(fmt::format("found normalization '{}', expected l2 or none", display_path(manifest.normalization)));
  if (!manifest.fingerprint.empty() && !is_hex(manifest.fingerprint, 64))
    fields.fail("\"fingerprint\" must be 64 hexadecimal digits");
  if (!is_hex(manifest.npy_xxh3, 32) || !is_hex(manifest.rows_xxh3, 32))
    fields.fail("\"npy_xxh3\" and \"rows_xxh3\" must be 32 hexadecimal digits each");
}

std::optional<Shards> shards_of(const JsonFields<OrderedJson>& fields) {
  const auto shard = fields.object("shard");
  if (!shard) return {};
  const auto number = [&](const char* key) { return shard->required(shard->count(key), key); };
  Shards shards{.parts = {number("part")},
                .of = number("of"),
                .items = number("items"),
                .list = shard->required(shard->text("list"), "list")};
  if (const std::string fault = fault_of(shards); !fault.empty()) fields.fail("\"shard\" " + fault);
  return shards;
}

}  // namespace

std::string to_json(const Manifest& manifest) {
  OrderedJson json;
  json["format"] = kFormat;
  json["version"] = Manifest::kVersion;
  json["rows"] = manifest.rows;
  json["dim"] = manifest.dim;
  json["dtype"] = to_string(manifest.dtype);
  json["metric"] = manifest.metric;
  json["normalization"] = manifest.normalization;
  if (!manifest.encoder.empty()) json["encoder"] = manifest.encoder;
  if (!manifest.fingerprint.empty()) json["fingerprint"] = manifest.fingerprint;
  if (!manifest.preset.empty()) json["preset"] = OrderedJson::parse(manifest.preset);
  if (!manifest.augmentation.empty()) json["augmentation"] = OrderedJson::parse(manifest.augmentation);
  json["precision"] = manifest.precision;
  if (manifest.device != "cpu") json["device"] = manifest.device;
  if (manifest.shards) {
    const Shards& shards = *manifest.shards;
    json["shard"] = {{"part", shards.parts.front()}, {"of", shards.of}, {"items", shards.items}, {"list", shards.list}};
  }
  json["failed"] = manifest.failed;
  json["npy_xxh3"] = manifest.npy_xxh3;
  json["rows_xxh3"] = manifest.rows_xxh3;
  json["xxh3"] = digest_of(json);
  return json.dump(2) + "\n";
}

Manifest parse_manifest(std::string_view json, const std::string& name) {
  JsonFields<OrderedJson> fields(json, name);
  if (fields.text("format") != kFormat)
    fields.fail(fmt::format("not the manifest of an embedding set: \"format\" must be \"{}\"", kFormat));
  if (const auto digest =
          fields.text("xxh3")) {  // damage comes before versions: a flipped bit is never a newer version
    fields.json().erase("xxh3");
    if (digest_of(fields.json()) != *digest)
      fields.fail(
          "its checksum \"xxh3\" does not fit: it was changed or damaged; who changes it by hand removes that line");
  }
  const std::uint64_t version = fields.required(fields.count("version"), "version");
  if (version == 0 || version > static_cast<std::uint64_t>(Manifest::kVersion))
    throw Incompatible(fmt::format("{}: found version {} of the format, this program reads version {}",
                                   display_path(name), version, Manifest::kVersion));
  Manifest manifest;
  manifest.rows = fields.required(fields.count("rows"), "rows");
  manifest.dim = fields.required(fields.count("dim"), "dim");
  const std::string dtype = fields.required(fields.text("dtype"), "dtype");
  if (dtype != "float32" && dtype != "float16") fields.fail("\"dtype\" must be float32 or float16");
  manifest.dtype = parse_dtype(dtype);
  manifest.metric = fields.required(fields.text("metric"), "metric");
  manifest.normalization = fields.required(fields.text("normalization"), "normalization");
  manifest.encoder = fields.text("encoder").value_or("");
  manifest.fingerprint = fields.text("fingerprint").value_or("");
  if (const OrderedJson* preset = fields.find("preset")) manifest.preset = preset->dump();
  if (const OrderedJson* augmentation = fields.find("augmentation")) manifest.augmentation = augmentation->dump();
  manifest.precision = fields.text("precision").value_or("float32");
  manifest.device = fields.text("device").value_or("cpu");
  manifest.shards = shards_of(fields);
  manifest.failed = fields.count("failed").value_or(0);
  manifest.npy_xxh3 = fields.required(fields.text("npy_xxh3"), "npy_xxh3");
  manifest.rows_xxh3 = fields.required(fields.text("rows_xxh3"), "rows_xxh3");
  check_manifest(manifest, fields);
  return manifest;
}

SetPaths set_paths(const std::string& name) {
  std::string stem = name;
  for (const std::string_view suffix : {".npy", ".json"})
    if (name.ends_with(suffix) && base_name(name).size() > suffix.size()) {
      stem.resize(name.size() - suffix.size());
      break;
    }
  return {stem + ".npy", stem + ".rows.jsonl", stem + ".json", stem + ".failed.jsonl", stem + ".state"};
}

EmbeddingSet EmbeddingSet::open(const std::string& name, bool check) {
  const SetPaths paths = set_paths(name);
  EmbeddingSet set;
  set.name_ = name;
  if (exists(paths.manifest)) {
    set.open_whole(paths, check);
    return set;
  }
  if (!exists(paths.npy)) nothing_there(paths, name);
  if (exists(paths.rows) || is_unfinished(paths))
    throw DamagedFile(
        fmt::format("{}: the manifest is missing, though other files of the set are there: it was never "
                    "finished; the same call of cbir-extract goes on with it",
                    display_path(paths.manifest)));
  set.matrix_ = NpyMatrix(paths.npy);
  if (paths.npy.ends_with(kEmbeddingsSuffix)) {
    const std::string companion = npy_pair(name).categories;
    if (exists(companion)) set.categories_ = read_npy_strings(companion);
    if (exists(companion) && set.categories_.size() != set.rows())
      throw Incompatible(fmt::format("{}: found {}, but {} has {}", display_path(companion),
                                     counted(set.categories_.size(), "label"), display_path(paths.npy),
                                     counted(set.rows(), "row")));
  }
  return set;
}

void EmbeddingSet::open_whole(const SetPaths& paths, bool check) {
  manifest_ = parse_manifest(read_text(paths.manifest), paths.manifest);
  matrix_ = NpyMatrix(paths.npy);
  rows_file_ = MappedFile(paths.rows);
  if (matrix_.rows() != manifest_->rows || matrix_.cols() != manifest_->dim || matrix_.dtype() != manifest_->dtype)
    throw DamagedFile(fmt::format("{}: found {} rows of {} numbers, {}; expected {} of {}, {}, as {} says",
                                  display_path(paths.npy), matrix_.rows(), matrix_.cols(), to_string(matrix_.dtype()),
                                  manifest_->rows, manifest_->dim, to_string(manifest_->dtype),
                                  display_path(paths.manifest)));
  line_offsets_ = find_lines(rows_file_.bytes(), paths.rows);
  if (line_offsets_.size() - 1 != manifest_->rows)
    throw DamagedFile(fmt::format("{}: found {}, expected {}: one a row of {}", display_path(paths.rows),
                                  counted(line_offsets_.size() - 1, "line"), manifest_->rows, display_path(paths.npy)));
  if (!check) return;
  check_digest(matrix_.bytes(), manifest_->npy_xxh3, paths.npy);
  check_digest(rows_file_.bytes(), manifest_->rows_xxh3, paths.rows);
}

std::string EmbeddingSet::row_line(std::size_t i) const {
  if (line_offsets_.empty()) return to_json_line(row(i));
  const std::uint64_t begin = line_offsets_.at(i), end = line_offsets_.at(i + 1) - 1;
  return std::string(as_text(rows_file_.bytes().subspan(begin, end - begin)));
}

RowInfo EmbeddingSet::row(std::size_t i) const {
  if (!line_offsets_.empty()) return parse_row(row_line(i), fmt::format("{} line {}", rows_file_.path(), i + 1));
  RowInfo made_up;
  made_up.path = std::to_string(i);
  if (!categories_.empty() && !categories_.at(i).empty()) made_up.label = categories_.at(i);
  return made_up;
}

}  // namespace cbir
