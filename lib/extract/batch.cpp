#include "batch.hpp"

#include <algorithm>
#include <unordered_map>

#include <cbir/base/error.hpp>
#include <cbir/base/file.hpp>
#include <cbir/base/text.hpp>
#include <cbir/store/labels.hpp>

namespace cbir {
namespace {

struct Item {
  Stamp stamp = {};
  std::optional<RowInfo> row = {};         ///< of a good picture
  std::optional<FailedItem> failure = {};  ///< of a bad one
  std::optional<Reuse::Place> taken = {};  ///< where the row's vector is already
};

/// An item that stays as it was, at another place in the list perhaps, and with another label.
Item kept_item(const BatchContext& context, std::size_t number, const Reuse::Place& place) {
  const Previous& source = context.reuse->source(place);
  const Stamp& stamp = context.reuse->stamp(number);
  if (source.rows(place.item) == 0) return {.stamp = stamp, .failure = kept_failure(context, number, place)};
  return {.stamp = stamp, .row = kept_row(context, number, source.row(place.item), stamp.mtime), .taken = place};
}

/// Whether the content of a whole picture was met before; `row` is then that of a picture at another place.
std::optional<Reuse::Place> find_content(const BatchContext& context, const ListedFile& listed,
                                         const LoadedPicture& picture, RowInfo& row) {
  if (!context.reuse || listed.box) return {};
  const auto place = context.reuse->find(Content{.xxh3 = picture.xxh3, .bytes = picture.bytes});
  if (place) row = context.reuse->source(*place).row(place->item);
  return place;
}

/// Loads one picture, or a part of it, into `slot`, unless its vector is there already. Parts of one picture that
/// follow one another are cut out of what was decoded once.
Item load_item(const BatchContext& context, std::size_t number, BatchBuffers& buffers, Image& slot) {
  if (const auto place = context.reuse ? context.reuse->kept(number) : std::nullopt)
    return kept_item(context, number, *place);
  const ListedFile& listed = context.listing.files[number];
  if (!listed.problem.empty())
    return {.stamp = stamp_of(listed.path),
            .failure = failed_item(listed, listed.name(), context.listing.seq(number), {"read", listed.problem})};
  std::optional<Reuse::Place> taken;
  RowInfo same;
  if (listed.box && buffers.opened_path != listed.path) {
    buffers.opened = {};  // its memory may be what the next one waits for
    buffers.opened = open_picture(listed.path, context.options.decode);
    buffers.opened_path = listed.path;
  }
  LoadedPicture picture = listed.box ? cut_picture(buffers.opened, context.encoder, slot, listed.box)
                                     : load_picture(listed.path, context.options.decode, context.encoder, slot, {},
                                                    [&](const LoadedPicture& read) {
                                                      taken = find_content(context, listed, read, same);
                                                      return taken.has_value();
                                                    });
  if (picture.failure)
    return {.stamp = picture.stamp,
            .failure = failed_item(listed, listed.name(), context.listing.seq(number), *picture.failure)};
  if (taken) {
    picture.width = same.width.value_or(0);
    picture.height = same.height.value_or(0);
  }
  return {.stamp = picture.stamp, .row = row_of(context, listed, listed.name(), number, picture), .taken = taken};
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
    const std::string label = file.problem.empty() ? table.label_of(file.name()).value_or("") : "";
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

FailedItem failed_item(const ListedFile& listed, const std::string& name, std::uint64_t seq,
                       const LoadFailure& failure) {
  const std::string where = name == listed.path ? "" : display_path(listed.path) + ": ";
  return {.path = name, .seq = seq, .stage = failure.stage, .reason = where + failure.reason};
}

FailedItem kept_failure(const BatchContext& context, std::size_t number, const Reuse::Place& place) {
  FailedItem failure = context.reuse->source(place).failure(place.item);
  failure.seq = context.listing.seq(number);
  return failure;
}

RowInfo kept_row(const BatchContext& context, std::size_t number, RowInfo row, std::int64_t mtime) {
  row.seq = context.listing.seq(number);
  row.mtime = mtime;
  row.label = context.labels.of(number, row.picture_path());
  return row;
}

RowInfo row_of(const BatchContext& context, const ListedFile& listed, const std::string& name, std::size_t number,
               const LoadedPicture& picture) {
  RowInfo row{.path = name,
              .label = context.labels.of(number, listed.path),
              .picture = name == listed.path ? std::string() : listed.path,
              .seq = context.listing.seq(number),
              .bytes = picture.bytes,
              .mtime = picture.stamp.mtime,
              .width = picture.width,
              .height = picture.height,
              .xxh3 = picture.xxh3};
  if (picture.box) row.box = {picture.box->left, picture.box->top, picture.box->right, picture.box->bottom};
  return row;
}

void process_batch(const BatchContext& context, std::size_t first, BatchBuffers& buffers, BatchOutput& output) {
  const std::size_t count = std::min(context.options.batch, context.listing.files.size() - first);
  const std::size_t dim = context.encoder.dim();
  // Always as many slots, since what becomes of a picture may depend on their number.
  buffers.inputs.resize(context.options.batch);
  buffers.vectors.resize(context.options.batch * dim);
  buffers.slot_of.clear();
  buffers.taken.clear();
  for (Image& input : buffers.inputs) input.data.clear();
  for (std::string& part : output.parts) part.clear();
  output.items = count;
  output.rows = output.failed = output.encoded = 0;
  buffers.opened_path.clear();  // a file may have changed since
  for (std::size_t i = 0; i < count; ++i) {
    const Item item = load_item(context, first + i, buffers, buffers.inputs[i]);
    output.parts[kInputs] += as_text(std::as_bytes(std::span(&item.stamp, 1)));
    if (item.row) {
      output.parts[kRows] += to_json_line(*item.row) + "\n";
      buffers.slot_of.push_back(i);
      ++output.rows;
      if (item.taken) buffers.taken.emplace_back(i, *item.taken);
    } else {
      output.parts[kFailed] += to_json_line(*item.failure) + "\n";
      ++output.failed;
    }
  }
  buffers.opened = {};
  output.encoded = buffers.slot_of.size() - buffers.taken.size();
  if (output.encoded > 0) context.encoder.encode(buffers.inputs, {buffers.vectors.data(), buffers.inputs.size(), dim});
  for (const auto& [slot, place] : buffers.taken)
    context.reuse->source(place).read_vector(place.item, 0, buffers.vectors.data() + slot * dim);
  buffers.items.clear();
  for (const std::size_t slot : buffers.slot_of)
    append_items(buffers.items, {buffers.vectors.data() + slot * dim, dim}, context.options.dtype);
  output.parts[kVectors] += as_text(buffers.items);
}

}  // namespace cbir
