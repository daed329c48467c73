#pragma once
/// From a map of features to one vector: what is left of where things are.

#include <ATen/core/Tensor.h>

#include "settings.hpp"

namespace cbir::nets {

/// N x C x H x W to N x C, by settings.pool:
///   avg, max  over all positions;
///   gem       generalised mean (Radenovic, Tolias and Chum, "Fine-tuning CNN Image Retrieval with No Human
///             Annotation", 2018): (mean of max(x, 1e-6)^p)^(1/p), p = settings.gem_p;
///   rmac      regional maxima (Tolias, Sicre and Jegou, "Particular object retrieval with integral max-pooling of CNN
///             activations", 2016) on the whole map and on 3 levels of overlapping squares, each of length 1, summed.
at::Tensor pool(const at::Tensor& features, const Settings& settings);

/// Throws Error if settings.pool is none of these.
void check_pool(const Settings& settings);

/// For a layer without positions. Throws Error unless settings.pool is "none".
void check_no_pool(const Settings& settings);

}  // namespace cbir::nets
