#pragma once
/// What cbir-index prints of an index.

#include <string>

#include <cbir/index/index.hpp>

namespace cbir {

/// Lines of `name<TAB>value`; what is not known is left out. A metric, say, is found with grep.
std::string to_tsv(const IndexInfo& info);

/// The same of a build: type, rows, bytes, seconds; of a type that is not exact how far searches look, and their
/// measured recall with the interval that it lies in with 95 %.
std::string to_tsv(const BuildReport& report, double seconds);

/// One JSON object and a newline; the preset as an object, keys that are not known left out.
std::string to_json(const IndexInfo& info);

/// "x.cbir: sound, 3 rows of dimension 4, generation 2" and a newline.
std::string verdict(const std::string& path, const IndexInfo& info);

/// "x.cbir: added 3 rows; removed 1 row; 102 rows, 98.3 kB" and a newline.
std::string verdict(const std::string& path, const ChangeReport& report);

/// "x.cbir: 3 added, 1 changed, 0 moved, 2 removed, 96 unchanged; 100 rows, 98.3 kB" and a newline.
std::string verdict(const std::string& path, const SyncReport& report);

/// "x.cbir: 3 rows, 32.8 kB; ids kept" and a newline.
std::string verdict(const std::string& path, const MergeReport& report);

/// What was kept and what was lost, for the index that was written to `output`.
std::string verdict(const std::string& output, const RecoverReport& report);

}  // namespace cbir
