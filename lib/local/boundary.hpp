#pragma once
/// Extractors and matchers of a plug-in (local/local_plugin.h) as those of the library.

#include <memory>
#include <string>
#include <string_view>

#include <cbir/local/local_plugin.h>
#include <cbir/local/local.hpp>

namespace cbir {

/// The plug-in libcbir_<name>.so, loaded when first needed. Throws MissingInput (it is not installed) and Incompatible
/// (it is of another version).
const cbir_local_api& local_plugin(std::string_view name);

/// Makes pictures smaller as `options` say, and gives keypoints in pixels of the whole picture. `kind` is but its name
/// and fingerprint; the rest the plug-in tells. Throws what the plug-in reports.
std::unique_ptr<LocalExtractor> make_extractor(const cbir_local_api& plugin, const cbir_net_source& source,
                                               LocalKind kind, const LocalOptions& options);

/// A matcher of features of the given kind. Throws what the plug-in reports.
std::unique_ptr<LocalMatcher> make_matcher(const cbir_local_api& plugin, const cbir_net_source& source);

}  // namespace cbir
