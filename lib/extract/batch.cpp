#include "batch.hpp"

#include <algorithm>
#include <cstring>
#include <new>

#include <cbir/base/error.hpp>
#include <cbir/base/file.hpp>
#include <cbir/base/text.hpp>

namespace cbir {
namespace {

/// Uncompressed formats take up to 8 bytes a pixel; the rest is for metadata.
std::uint64_t max_file_bytes(const DecodeOptions& options) {
  constexpr std::uint64_t kPerPixel = 8, kMetadata = 64 << 20;
  return options.max_pixels > (UINT64_MAX - kMetadata) / kPerPixel ? UINT64_MAX
                                                                   : options.max_pixels * kPerPixel + kMetadata;
}

struct Item {
  Stamp stamp;
  std::optional<RowInfo> row;         ///< of a good picture
  std::optional<FailedItem> failure;  ///< of a bad one
};

/// Reads, decodes and preprocesses one picture into `slot`.
Item load_item(const BatchContext& context, std::size_t seq, std::uint8_t* slot) {
  const ListedFile& listed = context.listing.files[seq];
  Item item;
  std::string stage = "read";
  InputFile file;
  const auto fail = [&](const std::string& reason) {
    item.failure = FailedItem{.path = listed.path, .seq = seq, .stage = stage, .reason = reason};
  };
  try {
    if (!listed.problem.empty()) {
      item.stamp = stamp_of(listed.path);
      fail(listed.problem);
      return item;
    }
    read_input(listed.path, max_file_bytes(context.options.decode), file);
    stage = "decode";
    const Image picture = decode_image(file.data, context.options.decode);
    const Image input = preprocess(picture, context.encoder.preset().preprocessing);
    if (input.data.size() != context.encoder.input_bytes())
      throw Error(ExitCode::internal, "preprocessing does not fit the encoder");
    std::memcpy(slot, input.data.data(), input.data.size());
    item.row = RowInfo{.path = listed.path,
                       .seq = seq,
                       .bytes = file.data.size(),
                       .mtime = file.stamp.mtime,
                       .width = picture.width,
                       .height = picture.height,
                       .xxh3 = hex(xxh3(file.data))};
  } catch (const std::bad_alloc&) {
    fail("out of memory");
  } catch (const std::exception& error) {
    fail(error.what());
  }
  item.stamp = file.stamp;
  if (item.row) item.row->label = context.labels.of(listed.path);
  return item;
}

std::string as_string(const std::vector<std::byte>& bytes) { return std::string(as_text(bytes)); }

}  // namespace

Labels::Labels(const std::string& source) : identity_(source) {
  if (source == "parent" || source == "none") return;
  table_.emplace(source);
  identity_ = "TSV " + hex(xxh3(read_file(source)));
}

std::optional<std::string> Labels::of(const std::string& path) const {
  if (table_) return table_->label_of(path);
  return identity_ == "parent" ? parent_label(path) : std::nullopt;
}

BatchOutput process_batch(const BatchContext& context, std::size_t first) {
  const std::size_t slots = context.options.batch;
  const std::size_t count = std::min(slots, context.listing.files.size() - first);
  const std::size_t input_bytes = context.encoder.input_bytes(), dim = context.encoder.dim();
  std::vector<std::uint8_t> inputs(slots * input_bytes);
  std::vector<Item> items;
  for (std::size_t i = 0; i < count; ++i)
    items.push_back(load_item(context, first + i, inputs.data() + i * input_bytes));

  std::vector<float> vectors(slots * dim);
  if (std::any_of(items.begin(), items.end(), [](const Item& item) { return item.row.has_value(); }))
    context.encoder.encode(inputs, {vectors.data(), slots, dim});

  BatchOutput output;
  std::vector<std::byte> rows, stamps(count * sizeof(Stamp));
  for (std::size_t i = 0; i < count; ++i) {
    std::memcpy(stamps.data() + i * sizeof(Stamp), &items[i].stamp, sizeof(Stamp));
    if (items[i].row) {
      append_items(rows, {vectors.data() + i * dim, dim}, context.options.dtype);
      output.parts[kRows] += to_json_line(*items[i].row) + "\n";
      ++output.rows;
    } else {
      output.parts[kFailed] += to_json_line(*items[i].failure) + "\n";
      ++output.failed;
    }
  }
  output.items = count;
  output.parts[kVectors] = as_string(rows);
  output.parts[kInputs] = as_string(stamps);
  return output;
}

}  // namespace cbir
