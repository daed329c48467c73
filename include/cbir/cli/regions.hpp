#pragma once
/// Writers of regions, one a format. They stream.

#include <memory>

#include <cbir/base/file.hpp>
#include <cbir/extract/regions.hpp>

namespace cbir {

class RegionsWriter {
 public:
  virtual ~RegionsWriter() = default;

  /// Throws OutputError.
  virtual void write(const FoundRegions& found) = 0;
};

/// A line a region: id, path, x1, y1, x2, y2 (two decimals), class, confidence (six), between tabs; strings escaped by
/// tsv_escape(). The class is its name, or its number if that is all that is known; empty of a proposal. The first six
/// columns are what cbir-extract --boxes reads. Of a picture that failed there is no line.
std::unique_ptr<RegionsWriter> make_regions_tsv_writer(OutputFile& out);

/// A JSON object a region: id, path, box (x1, y1, x2, y2), class and class_id as far as known, confidence. Of a picture
/// that failed: path, stage, error. Strings that are not UTF-8 as in rows.jsonl.
std::unique_ptr<RegionsWriter> make_regions_jsonl_writer(OutputFile& out);

}  // namespace cbir
