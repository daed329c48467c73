#include "safetensors.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>

#include <cbir/base/error.hpp>
#include <cbir/base/text.hpp>

namespace cbir::weights {
namespace {

constexpr std::uint64_t kMaxHeader = 100'000'000;  // the format's own limit
constexpr std::size_t kMaxDimensions = 64;
constexpr std::size_t kLengthSize = 8;

std::optional<TensorType> tensor_type(std::string_view name) {
  static constexpr std::array<std::pair<std::string_view, TensorType>, 10> kTypes = {{
      {"F64", TensorType::float64},
      {"F32", TensorType::float32},
      {"F16", TensorType::float16},
      {"BF16", TensorType::bfloat16},
      {"I64", TensorType::int64},
      {"I32", TensorType::int32},
      {"I16", TensorType::int16},
      {"I8", TensorType::int8},
      {"U8", TensorType::uint8},
      {"BOOL", TensorType::boolean},
  }};
  for (const auto& [known, type] : kTypes)
    if (known == name) return type;
  return {};
}

/// One tensor of the header.
struct Record {
  std::string type;
  std::vector<std::int64_t> shape;
  std::vector<std::uint64_t> offsets;  ///< first byte and the one after the last, counted from the header's end
  bool has_type = false, has_shape = false, has_offsets = false;
};

/// Takes the header's tokens one by one, so that its memory is that of its tensors, and every key is seen.
class HeaderReader : public nlohmann::json_sax<nlohmann::json> {
 public:
  explicit HeaderReader(std::string file) : file_(std::move(file)) {}

  std::map<std::string, Record> take() { return std::move(records_); }

  bool start_object(std::size_t) override {
    if (in_list_ || depth_ >= 2 || (depth_ == 1 && !record_ && !in_metadata_)) damaged("an object where none belongs");
    ++depth_;
    return true;
  }

  bool key(std::string& name) override {
    if (depth_ == 1) return start_entry(name);
    if (in_metadata_) {
      if (!metadata_.insert(name).second) damaged(fmt::format("'{}' is twice in __metadata__", name));
      return true;
    }
    bool* seen = name == "dtype"          ? &record_->has_type
                 : name == "shape"        ? &record_->has_shape
                 : name == "data_offsets" ? &record_->has_offsets
                                          : nullptr;
    if (!seen) damaged(fmt::format("tensor '{}' has a field '{}', which the format does not know", name_, name));
    if (*seen) damaged(fmt::format("tensor '{}' has its {} twice", name_, name));
    *seen = true;
    field_ = seen;
    return true;
  }

  bool end_object() override {
    if (--depth_ == 1) {
      if (record_ && !(record_->has_type && record_->has_shape && record_->has_offsets))
        damaged(fmt::format("tensor '{}' lacks its dtype, shape or data_offsets", name_));
      record_ = nullptr;
      in_metadata_ = false;
    }
    return true;
  }

  bool start_array(std::size_t) override {
    if (in_list_ || !record_ || depth_ != 2 || field_ == &record_->has_type) misplaced("a list");
    return in_list_ = true;
  }
  bool end_array() override {
    in_list_ = false;
    return true;
  }

  bool string(std::string& value) override {
    if (depth_ == 2 && in_metadata_) return true;
    if (depth_ != 2 || in_list_ || field_ != &record_->has_type) misplaced("a string");
    record_->type = value;
    return true;
  }

  bool number_unsigned(std::uint64_t value) override {
    if (!in_list_) misplaced("a number");
    if (field_ == &record_->has_offsets) {
      if (record_->offsets.size() == 2) damaged(fmt::format("tensor '{}' has more than two data_offsets", name_));
      record_->offsets.push_back(value);
    } else {
      if (value > INT64_MAX) damaged(fmt::format("tensor '{}' has a size of {}", name_, value));
      if (record_->shape.size() == kMaxDimensions)
        damaged(fmt::format("tensor '{}' has more than {} dimensions", name_, kMaxDimensions));
      record_->shape.push_back(static_cast<std::int64_t>(value));
    }
    return true;
  }

  bool null() override { misplaced("null"); }
  bool boolean(bool) override { misplaced("a truth value"); }
  bool number_integer(std::int64_t) override { misplaced("a negative number"); }
  bool number_float(double, const std::string&) override { misplaced("a fraction"); }
  bool binary(nlohmann::json::binary_t&) override { misplaced("binary data"); }

  bool parse_error(std::size_t position, const std::string&, const nlohmann::json::exception&) override {
    damaged(fmt::format("it is no JSON at byte {}", kLengthSize + position));
  }

 private:
  [[noreturn]] void damaged(std::string_view what) const {
    throw DamagedFile(fmt::format("{}: damaged safetensors header: {}", display_path(file_), what));
  }
  [[noreturn]] void misplaced(std::string_view what) const {
    damaged(fmt::format("{} where none belongs, in '{}'", what, name_));
  }

  bool start_entry(const std::string& name) {
    name_ = name;
    if (name == "__metadata__") {
      if (had_metadata_) damaged("__metadata__ is there twice");
      in_metadata_ = had_metadata_ = true;
      return true;
    }
    if (name.find('\0') != std::string::npos) damaged("a tensor's name holds a NUL byte");
    const auto [entry, fresh] = records_.try_emplace(name);
    if (!fresh) damaged(fmt::format("two tensors are named '{}'", name));
    record_ = &entry->second;
    return true;
  }

  std::string file_, name_;
  std::map<std::string, Record> records_;
  std::set<std::string> metadata_;
  Record* record_ = nullptr;  // the tensor whose fields come
  bool* field_ = nullptr;     // the field whose value comes
  int depth_ = 0;
  bool in_list_ = false, in_metadata_ = false, had_metadata_ = false;
};

/// The tensor of a record; its bytes must be exactly those that type and shape need.
Tensor tensor_of(const Record& record, const std::string& tensor, Bytes numbers, const std::string& file) {
  const auto damaged = [&](std::string_view what) {
    throw DamagedFile(fmt::format("{}: tensor '{}' {}", display_path(file), tensor, what));
  };
  const std::optional<TensorType> type = tensor_type(record.type);
  if (!type)
    throw Incompatible(fmt::format("{}: tensor '{}' is of type '{}', which is not read; save it as F32, F16 or BF16",
                                   display_path(file), tensor, record.type));
  std::uint64_t bytes = item_size(*type);
  bool overflow = false, empty = false;
  for (const std::int64_t size : record.shape) {
    empty |= size == 0;
    overflow |= size != 0 && __builtin_mul_overflow(bytes, static_cast<std::uint64_t>(size), &bytes);
  }
  if (overflow || bytes > INT64_MAX) damaged("has a shape that is too large to be true");
  if (empty) bytes = 0;
  if (record.offsets.size() != 2) damaged("has no two data_offsets");
  const std::uint64_t first = record.offsets[0], end = record.offsets[1];
  if (first > end || end > numbers.size())
    damaged(
        fmt::format("lies at {} to {} of {} bytes of numbers; the file may be cut short", first, end, numbers.size()));
  if (end - first != bytes) damaged(fmt::format("has {} bytes; its type and shape need {}", end - first, bytes));
  return {*type, record.shape, numbers.subspan(static_cast<std::size_t>(first), static_cast<std::size_t>(bytes)), {}};
}

/// Every byte belongs to one tensor.
void check_cover(const std::map<std::string, Record>& records, std::uint64_t size, const std::string& file) {
  std::vector<std::pair<std::uint64_t, std::uint64_t>> spans;
  for (const auto& [name, record] : records) spans.emplace_back(record.offsets[0], record.offsets[1]);
  std::sort(spans.begin(), spans.end());
  spans.emplace_back(size, size);
  std::uint64_t at = 0;
  for (const auto& [first, end] : spans) {
    if (first != at)
      throw DamagedFile(fmt::format("{}: {} at byte {} of its numbers", display_path(file),
                                    first < at ? "tensors overlap" : "there is a hole", std::min(first, at)));
    at = end;
  }
}

}  // namespace

bool is_safetensors(Bytes file) {
  return file.size() > kLengthSize && file[kLengthSize] == std::byte{'{'} && as_text(file)[7] == '\0';
}

TensorMap read_safetensors(Bytes file, const std::string& name, const std::shared_ptr<const void>& owner) {
  ByteReader reader(file, name);
  const auto length = reader.read<std::uint64_t>("the header's length");
  if (length > kMaxHeader)
    throw DamagedFile(fmt::format("{}: a safetensors header of {} bytes; {} is the format's limit", display_path(name),
                                  length, kMaxHeader));
  const std::string_view header = as_text(reader.take(static_cast<std::size_t>(length), "the safetensors header"));
  HeaderReader tokens(name);
  nlohmann::json::sax_parse(header, &tokens);
  const std::map<std::string, Record> records = tokens.take();
  const Bytes numbers = file.subspan(reader.offset());
  TensorMap out;
  for (const auto& [tensor, record] : records) {
    const auto made = out.emplace(tensor, tensor_of(record, tensor, numbers, name)).first;
    made->second.owner = owner;
  }
  check_cover(records, numbers.size(), name);
  if (out.empty()) throw Incompatible(fmt::format("{}: holds no tensors", display_path(name)));
  return out;
}

}  // namespace cbir::weights
