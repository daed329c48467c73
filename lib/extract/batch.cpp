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
  } catch (const MissingInput& error) {
    if (stage == "decode") throw;  // the plug-in with the codecs is not installed: no fault of the picture
    fail(error.what());
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
  const std::size_t count = std::min(context.options.batch, context.listing.files.size() - first);
  const std::size_t input_bytes = context.encoder.input_bytes(), dim = context.encoder.dim();
  const bool independent = context.encoder.independent();
  std::vector<std::uint8_t> inputs(context.options.batch * input_bytes);
  std::vector<Item> items;
  std::vector<std::size_t> slot_of(count);
  std::size_t good = 0;
  for (std::size_t i = 0; i < count; ++i) {
    slot_of[i] = independent ? good : i;
    items.push_back(load_item(context, first + i, inputs.data() + slot_of[i] * input_bytes));
    if (items.back().row) ++good;
  }
  const std::size_t slots = independent ? good : context.options.batch;
  std::vector<float> vectors(slots * dim);
  if (good > 0) context.encoder.encode({inputs.data(), slots * input_bytes}, {vectors.data(), slots, dim});

  BatchOutput output;
  std::vector<std::byte> rows, stamps(count * sizeof(Stamp));
  for (std::size_t i = 0; i < count; ++i) {
    std::memcpy(stamps.data() + i * sizeof(Stamp), &items[i].stamp, sizeof(Stamp));
    if (items[i].row) {
      append_items(rows, {vectors.data() + slot_of[i] * dim, dim}, context.options.dtype);
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
