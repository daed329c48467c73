#pragma once
/// Videos and cameras through OpenCV's videoio.

#include <memory>
#include <string>

#include <cbir/catalog/watch.hpp>

namespace cbir {

/// "camera:N" is the N-th camera, a name with "://" in it a stream, anything else a file. Frames are 8-bit RGB, upright
/// as the file says. A file that ends before its header says, or in which decoding stops, has a problem() at its end.
/// Throws MissingInput (no such file or camera), ImageError (no video that can be read).
std::unique_ptr<FrameSource> open_video(const std::string& name);

/// Whether a name is a camera's or a stream's, and no file's.
bool is_live(const std::string& name);

}  // namespace cbir
