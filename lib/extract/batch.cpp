#include "batch.hpp"

#include <algorithm>
#include <unordered_map>

#include <cbir/base/error.hpp>
#include <cbir/base/file.hpp>
#include <cbir/store/labels.hpp>

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
                         .label = context.labels.of(seq, listed.path),
                         .seq = seq,
                         .bytes = picture.bytes,
                         .mtime = picture.stamp.mtime,
                         .width = picture.width,
                         .height = picture.height,
                         .xxh3 = picture.xxh3},
          .failure = {}};
}

}  // namespace

Labels::Labels(const std::string& source, const FileList& files) : identity_(source) {
  if (source == "parent" || source == "none") return;
  const LabelTable table(source);
  identity_ = "TSV " + hex(xxh3(read_file(source)));
  std::unordered_map<std::string, std::uint32_t> numbers = {{"", 0}};
  names_ = {""};
  number_of_.reserve(files.size());
  for (const ListedFile& file : files) {
    const std::string label = file.problem.empty() ? table.label_of(file.path).value_or("") : "";
    const auto [entry, added] = numbers.try_emplace(label, static_cast<std::uint32_t>(names_.size()));
    if (added) names_.push_back(label);
    number_of_.push_back(entry->second);
  }
}

std::optional<std::string> Labels::of(std::size_t seq, const std::string& path) const {
  if (number_of_.empty()) return identity_ == "parent" ? parent_label(path) : std::nullopt;
  const std::string& name = names_[number_of_[seq]];
  return name.empty() ? std::nullopt : std::optional(name);
}

void process_batch(const BatchContext& context, std::size_t first, BatchBuffers& buffers, BatchOutput& output) {
  const std::size_t count = std::min(context.options.batch, context.listing.files.size() - first);
  const std::size_t dim = context.encoder.dim();
  // Always as many slots, since what becomes of a picture may depend on their number.
  buffers.inputs.resize(context.options.batch);
  buffers.vectors.resize(context.options.batch * dim);
  buffers.slot_of.clear();
  for (Image& input : buffers.inputs) input.data.clear();
  for (std::string& part : output.parts) part.clear();
  output.items = count;
  output.rows = output.failed = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const Item item = load_item(context, first + i, buffers.inputs[i]);
    output.parts[kInputs] += as_text(std::as_bytes(std::span(&item.stamp, 1)));
    if (item.row) {
      output.parts[kRows] += to_json_line(*item.row) + "\n";
      buffers.slot_of.push_back(i);
      ++output.rows;
    } else {
      output.parts[kFailed] += to_json_line(*item.failure) + "\n";
      ++output.failed;
    }
  }
  if (output.rows > 0) context.encoder.encode(buffers.inputs, {buffers.vectors.data(), buffers.inputs.size(), dim});
  buffers.items.clear();
  for (const std::size_t slot : buffers.slot_of)
    append_items(buffers.items, {buffers.vectors.data() + slot * dim, dim}, context.options.dtype);
  output.parts[kVectors] += as_text(buffers.items);
}

}  // namespace cbir
