#pragma once
/// Local features by networks: from a preset and its weights to what runs them.

#include <memory>
#include <string>

#include <cbir/local/local.hpp>

namespace cbir {

/// For features that are a network's, or a preset of one's own. Throws as open_local_extractor.
std::unique_ptr<LocalExtractor> open_network_extractor(const LocalOptions& options);

/// For "lighterglue", "lightglue" and "superglue". Throws as open_local_matcher.
std::unique_ptr<LocalMatcher> open_network_matcher(const std::string& name, const LocalKind& kind);

}  // namespace cbir
