#include <cbir/local/pairs.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <new>

#include <cbir/base/error.hpp>
#include <cbir/base/file.hpp>
#include <cbir/base/parallel.hpp>
#include <cbir/base/text.hpp>

namespace cbir {
namespace {

constexpr std::size_t kBlock = 32;  // pairs whose features are in memory together
constexpr std::uint64_t kMaxFileBytes = std::uint64_t{2} << 30;

using FeaturesByPath = std::map<std::string, PictureFeatures>;

/// What the block needs: taken from the block before, or looked at now.
FeaturesByPath features_of_block(std::span<const PicturePair> pairs, const LocalExtractor& extractor,
                                 const DecodeOptions& decode, FeaturesByPath before) {
  FeaturesByPath out;
  for (const PicturePair& pair : pairs)
    for (const std::string& path : {pair.a, pair.b}) out.try_emplace(path);
  std::vector<FeaturesByPath::value_type*> fresh;
  for (auto& entry : out) {
    const auto known = before.find(entry.first);
    if (known != before.end()) entry.second = std::move(known->second);
    else fresh.push_back(&entry);
  }
  parallel_blocks(fresh.size(), 1, [&](std::size_t i, std::size_t) {
    fresh[i]->second = features_of_file(fresh[i]->first, extractor, decode);
  });
  return out;
}

/// From right to left.
void mirror(Image& picture) {
  const auto width = static_cast<std::size_t>(picture.width);
  for (int y = 0; y < picture.height; ++y) {
    std::uint8_t* row = picture.row(y);
    for (std::size_t left = 0, right = width; left + 1 < right; ++left)
      std::swap_ranges(row + left * 3, row + left * 3 + 3, row + --right * 3);
  }
}

}  // namespace

std::vector<PicturePair> parse_picture_pairs(std::string_view text, const std::string& name) {
  std::vector<PicturePair> pairs;
  std::size_t number = 0;
  for (const std::string_view line : split(text, '\n')) {
    ++number;
    if (line.empty()) continue;
    const auto fields = split(line, '\t');
    if (fields.size() < 2 || fields[0].empty() || fields[1].empty())
      throw DamagedFile(fmt::format("{}, line {}: expected the paths of two pictures between a tab, found '{}'",
                                    display_path(name), number, display_path(line)));
    pairs.push_back({tsv_unescape(fields[0]), tsv_unescape(fields[1])});
  }
  if (pairs.empty()) throw MissingInput(fmt::format("{}: names no pairs", display_path(name)));
  return pairs;
}

std::vector<PicturePair> read_picture_pairs(const std::string& path) {
  return parse_picture_pairs(read_text(path), path == "-" ? "standard input" : path);
}

PictureFeatures features_of_file(const std::string& path, const LocalExtractor& extractor, const DecodeOptions& decode,
                                 const std::optional<PixelBox>& box, Side side) {
  PictureFeatures out;
  const auto fail = [&](std::string_view reason) {
    const std::string name = display_path(path) + ": ";
    out.problem = reason.starts_with(name) ? std::string(reason) : name + std::string(reason);
  };
  std::optional<MemoryBudget::Part> memory;  // as long as there is the picture
  Image picture;
  try {
    const std::vector<std::byte> file = read_file(path, kMaxFileBytes);
    memory = memory_to_decode(file, decode, decode.decoders != nullptr);
    picture = decode_image(file, decode);
    if (box) {
      if (box->left < 0 || box->top < 0 || box->right > picture.width || box->bottom > picture.height ||
          box->left >= box->right || box->top >= box->bottom) {
        fail(fmt::format("has {} x {} pixels, in which the row's box does not lie; was the picture changed?",
                         picture.width, picture.height));
        return out;
      }
      picture = crop(picture, *box);
    }
  } catch (const ImageError& error) {
    fail(error.what());
    return out;
  } catch (const Error& error) {
    // Of a file that is there, this says that the plug-in with the codecs is not installed.
    if (error.code() == ExitCode::internal || (error.code() == ExitCode::missing_input && exists(path) &&
                                               std::string_view(error.what()).starts_with("plug-in")))
      throw;
    fail(error.what());
    return out;
  } catch (const std::bad_alloc&) {
    fail("out of memory");
    return out;
  }
  if (side == Side::mirrored) mirror(picture);
  out.features = std::make_shared<const LocalFeatures>(extractor.extract(picture));
  return out;
}

FeatureComparison compare_features(const std::shared_ptr<const LocalFeatures>& a,
                                   const std::shared_ptr<const LocalFeatures>& mirrored, const LocalFeatures& b,
                                   const LocalMatcher& matcher, const VerifyOptions& options) {
  FeatureComparison out{.a = a, .matches = matcher.match(*a, b)};
  out.verification = verify_matches(*a, b, out.matches, options);
  if (out.verification.verified() || !mirrored) return out;
  FeatureComparison other{.matches = matcher.match(*mirrored, b), .mirrored = true};
  LocalFeatures placed = *mirrored;
  mirror_keypoints(placed);
  VerifyOptions turned = options;
  turned.mirrored = true;
  other.verification = verify_matches(placed, b, other.matches, turned);
  if (other.verification.score <= out.verification.score) return out;
  other.a = std::make_shared<const LocalFeatures>(std::move(placed));
  return other;
}

void match_pairs(std::span<const PicturePair> pairs, const PairOptions& options,
                 const std::function<void(const MatchedPair&)>& sink) {
  const auto extractor = open_local_extractor(options.local);
  const auto matcher = open_local_matcher(options.matcher, extractor->kind());
  FeaturesByPath features;
  for (std::size_t first = 0; first < pairs.size(); first += kBlock) {
    const auto block = pairs.subspan(first, std::min(kBlock, pairs.size() - first));
    features = features_of_block(block, *extractor, options.decode, std::move(features));
    std::vector<MatchedPair> matched(block.size());
    parallel_blocks(block.size(), 1, [&](std::size_t i, std::size_t) {
      MatchedPair& out = matched[i];
      out.pair = block[i];
      const PictureFeatures &a = features.at(block[i].a), &b = features.at(block[i].b);
      out.problem = a.problem.empty() ? b.problem : a.problem;
      if (!out.problem.empty()) return;
      PictureFeatures mirrored;
      if (options.mirror) mirrored = features_of_file(block[i].a, *extractor, options.decode, {}, Side::mirrored);
      FeatureComparison found = compare_features(a.features, mirrored.features, *b.features, *matcher, options.verify);
      out.a = std::move(found.a);
      out.b = b.features;
      out.matches = std::move(found.matches);
      out.verification = std::move(found.verification);
      out.mirrored = found.mirrored;
    });
    for (const MatchedPair& pair : matched) sink(pair);
  }
}

}  // namespace cbir
