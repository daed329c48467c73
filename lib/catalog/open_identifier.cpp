#include <cbir/catalog/identify.hpp>
#include <cbir/detect/proposals.hpp>

namespace cbir {

std::unique_ptr<Identifier> open_identifier(const Catalog& catalog, const IdentifySetup& setup,
                                            const IdentifyOptions& options) {
  IdentifyParts parts;
  if (options.candidates > 0) parts.encoder = catalog.open_encoder(setup.weights, setup.encoder);
  if (options.candidates > 0 && setup.proposals && options.crops > 0)
    parts.proposer = open_proposer("edges", {.max = options.crops});
  if (options.verify) {
    parts.extractor = catalog.open_extractor(setup.keypoints, setup.max_side);
    parts.matcher = open_local_matcher(setup.matcher, catalog.settings().local);
  }
  return std::make_unique<Identifier>(catalog, std::move(parts), options);
}

}  // namespace cbir
