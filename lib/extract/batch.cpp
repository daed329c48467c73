#include "batch.hpp"

#include <algorithm>
#include <cstring>

#include <cbir/base/error.hpp>
#include <cbir/base/file.hpp>

namespace cbir {
namespace {

struct Item {
  Stamp stamp;
  std::optional<RowInfo> row;         ///< of a good picture
  std::optional<FailedItem> failure;  ///< of a bad one
};

/// Loads one picture into `slot`.
Item load_item(const BatchContext& context, std::size_t seq, Image& slot) {
  const ListedFile& listed = context.listing.files[seq];
  const auto failed = [&](const LoadFailure& failure) {
    return FailedItem{.path = listed.path, .seq = seq, .stage = failure.stage, .reason = failure.reason};
  };
  if (!listed.problem.empty())
    return {.stamp = stamp_of(listed.path), .row = {}, .failure = failed({"read", listed.problem})};
  const LoadedPicture picture = load_picture(listed.path, context.options.decode, context.encoder, slot);
  if (picture.failure) return {.stamp = picture.stamp, .row = {}, .failure = failed(*picture.failure)};
  return {.stamp = picture.stamp,
          .row = RowInfo{.path = listed.path,
                         .label = context.labels.of(listed.path),
                         .seq = seq,
                         .bytes = picture.bytes,
                         .mtime = picture.stamp.mtime,
                         .width = picture.width,
                         .height = picture.height,
                         .xxh3 = picture.xxh3},
          .failure = {}};
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
  const std::size_t dim = context.encoder.dim();
  // Always as many slots, since what becomes of a picture may depend on their number.
  std::vector<Image> inputs(context.options.batch);
  std::vector<float> vectors(inputs.size() * dim);
  std::vector<Item> items;
  for (std::size_t i = 0; i < count; ++i) items.push_back(load_item(context, first + i, inputs[i]));
  if (std::ranges::any_of(items, [](const Item& item) { return item.row.has_value(); }))
    context.encoder.encode(inputs, {vectors.data(), inputs.size(), dim});

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
