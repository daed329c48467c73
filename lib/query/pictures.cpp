#include "pictures.hpp"

#include <cbir/base/parallel.hpp>
#include <cbir/extract/picture.hpp>

namespace cbir {

void PictureGroup::encode(std::span<const std::string> paths, std::size_t first, const ImageQueryOptions& options) {
  parallel_blocks(paths.size(), 1, [&](std::size_t i, std::size_t) {
    const LoadedPicture picture = load_picture(paths[i], options.decode, encoder, inputs[i]);
    failures[i].reset();
    if (picture.failure) failures[i] = FailedItem{paths[i], first + i, picture.failure->stage, picture.failure->reason};
  });
  parallel_blocks(paths.size(), options.batch, [&](std::size_t begin, std::size_t end) {
    bool all_failed = true;
    for (std::size_t i = begin; i < end; ++i) all_failed = all_failed && failures[i].has_value();
    if (all_failed) return;
    encoder.encode(std::span(inputs).subspan(begin, end - begin),
                   {embeddings.data() + begin * encoder.dim(), end - begin, encoder.dim()});
  });
}

}  // namespace cbir
