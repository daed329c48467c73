#include <algorithm>
#include <cmath>
#include <optional>
#include <span>

#include <cbir/base/error.hpp>
#include <cbir/extract/regions.hpp>
#include <cbir/store/npy.hpp>

#include "batch.hpp"

namespace cbir {
namespace {

/// Regions of pictures on their way through the encoder, a call's slots at a time.
class RegionRows {
 public:
  RegionRows(const BatchContext& context, BatchBuffers& buffers, BatchOutput& output)
      : context_(context), buffers_(buffers), output_(output) {
    buffers_.inputs.resize(context.options.batch);
    buffers_.vectors.resize(context.options.batch * context.encoder.dim());
    clear_slots();
  }

  /// `box`: nothing means the whole picture.
  void add(const OpenedPicture& picture, const ListedFile& listed, const std::string& name, std::size_t number,
           const std::optional<Box>& box) {
    const LoadedPicture cut = cut_picture(picture, context_.encoder, buffers_.inputs[used_], box);
    if (cut.failure) return fail(failed_item(listed, name, context_.listing.seq(number), *cut.failure));
    add_line(row_of(context_, listed, name, number, cut));
    ++output_.encoded;
    if (++used_ == context_.options.batch) flush();
  }

  /// A row whose vector an earlier set has: row `which` of its item. It takes up a slot all the same, so that the
  /// others are in theirs.
  void keep(const RowInfo& row, const Reuse::Place& place, std::size_t which) {
    add_line(row);
    taken_.push_back({used_, place, which});
    if (++used_ == context_.options.batch) flush();
  }

  void fail(const FailedItem& item) {
    output_.parts[kFailed] += to_json_line(item) + "\n";
    ++output_.failed;
  }

  /// Encodes what is in the slots.
  void flush() {
    if (used_ == 0) return;
    const std::size_t dim = context_.encoder.dim();
    if (taken_.size() < used_)
      context_.encoder.encode(buffers_.inputs, {buffers_.vectors.data(), buffers_.inputs.size(), dim});
    for (const Taken& taken : taken_)
      context_.reuse->source(taken.place)
          .read_vector(taken.place.item, taken.which, buffers_.vectors.data() + taken.slot * dim);
    buffers_.items.clear();
    append_items(buffers_.items, std::span(buffers_.vectors).first(used_ * dim), context_.options.dtype);
    output_.parts[kVectors] += as_text(buffers_.items);
    clear_slots();
  }

 private:
  struct Taken {
    std::size_t slot = 0;
    Reuse::Place place = {};
    std::size_t which = 0;  ///< of the item's rows
  };

  void add_line(const RowInfo& row) {
    output_.parts[kRows] += to_json_line(row) + "\n";
    ++output_.rows;
  }

  void clear_slots() {
    for (Image& input : buffers_.inputs) input.data.clear();
    taken_.clear();
    used_ = 0;
  }

  const BatchContext& context_;
  BatchBuffers& buffers_;
  BatchOutput& output_;
  std::size_t used_ = 0;  ///< slots
  std::vector<Taken> taken_;
};

void add_regions(const BatchContext& context, const OpenedPicture& picture, const ListedFile& listed,
                 std::size_t number, RegionRows& rows) {
  const std::vector<Detection> found = context.detector->detect(picture.image);
  const WholePicture whole = context.options.regions->whole;
  if (whole == WholePicture::always || (whole == WholePicture::empty && found.empty()))
    rows.add(picture, listed, listed.name(), number, {});
  for (std::size_t i = 0; i < found.size(); ++i) {
    const Detection& region = found[i];
    // At least a pixel, which rounding might leave none of.
    const int width = picture.about.width, height = picture.about.height;
    Box box{region.x1, region.y1, region.x2, region.y2};
    if (!pixels_of(box, width, height)) {
      box.x1 = std::min(std::floor(box.x1), width - 1.0);
      box.y1 = std::min(std::floor(box.y1), height - 1.0);
      box.x2 = std::max(std::ceil(box.x2), box.x1 + 1);
      box.y2 = std::max(std::ceil(box.y2), box.y1 + 1);
    }
    rows.add(picture, listed, region_name(listed.name(), i + 1), number, box);
  }
}

/// All rows of an item that is what it was, or that has the content of one that was elsewhere.
void keep_regions(const BatchContext& context, const ListedFile& listed, std::size_t number, const Reuse::Place& place,
                  const Stamp& stamp, RegionRows& rows) {
  const Previous& source = context.reuse->source(place);
  for (std::size_t i = 0; i < source.rows(place.item); ++i) {
    RowInfo row = kept_row(context, number, source.row(place.item, i), stamp.mtime);
    const std::string before = row.picture_path();
    if (before != listed.path) {
      row.path = listed.name() + row.path.substr(before.size());
      row.picture = row.path == listed.path ? "" : listed.path;
      row.label = context.labels.of(number, listed.path);
    }
    rows.keep(row, place, i);
  }
}

/// One listed picture. Returns its stamp.
Stamp process_picture(const BatchContext& context, std::size_t number, RegionRows& rows) {
  const ListedFile listed = context.listing.files[number];
  const std::uint64_t seq = context.listing.seq(number);
  if (const auto place = context.reuse ? context.reuse->kept(number) : std::nullopt) {
    const Stamp stamp = context.reuse->stamp(number);
    if (context.reuse->source(*place).rows(place->item) == 0) rows.fail(kept_failure(context, number, *place));
    else keep_regions(context, listed, number, *place, stamp, rows);
    return stamp;
  }
  if (!listed.problem.empty()) {
    rows.fail(failed_item(listed, listed.name(), seq, {"read", listed.problem}));
    return stamp_of(listed.path);
  }
  std::optional<Reuse::Place> known;
  const OpenedPicture picture = open_picture(listed.path, context.options.decode, [&](const LoadedPicture& read) {
    if (context.reuse) known = context.reuse->find(Content{.xxh3 = read.xxh3, .bytes = read.bytes});
    return known.has_value();
  });
  const LoadedPicture& about = picture.about;
  if (about.failure) rows.fail(failed_item(listed, listed.name(), seq, *about.failure));
  else if (known) keep_regions(context, listed, number, *known, about.stamp, rows);
  else add_regions(context, picture, listed, number, rows);
  return about.stamp;
}

}  // namespace

void process_regions(const BatchContext& context, std::size_t first, BatchBuffers& buffers, BatchOutput& output) {
  const std::size_t count = std::min(context.options.batch, context.listing.files.size() - first);
  for (std::string& part : output.parts) part.clear();
  output.items = count;
  output.rows = output.failed = output.encoded = 0;
  RegionRows rows(context, buffers, output);
  for (std::size_t number = first; number < first + count; ++number) {
    const Stamp stamp = process_picture(context, number, rows);
    output.parts[kInputs] += as_text(std::as_bytes(std::span(&stamp, 1)));
  }
  rows.flush();
}

}  // namespace cbir
