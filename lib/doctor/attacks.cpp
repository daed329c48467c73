#include <cbir/doctor/attacks.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include <cbir/base/text.hpp>
#include <cbir/image/resize.hpp>

#include "watermark.hpp"

namespace cbir {

std::uint64_t Random::next() {
  std::uint64_t z = state_ += 0x9E3779B97F4A7C15;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
  return z ^ (z >> 31);
}

std::size_t Random::below(std::size_t count) {
  return static_cast<std::size_t>(between(0, static_cast<double>(count)));
}

double Random::between(double low, double high) {
  return low + (high - low) * (static_cast<double>(next() >> 11) * 0x1p-53);
}

namespace {

constexpr std::array<std::string_view, 3> kStrengths = {"light", "medium", "strong"};

template <typename T>
T by_strength(Strength strength, T light, T medium, T strong) {
  return strength == Strength::light ? light : strength == Strength::medium ? medium : strong;
}

/// A share of a length in whole pixels, at least one.
int scaled(int length, double factor) { return std::max(1, static_cast<int>(std::lround(length * factor))); }

Image crop_attack(const Image& image, Strength strength, Random& random) {
  const double kept = by_strength(strength, 0.85, 0.7, 0.5);
  const int width = scaled(image.width, kept), height = scaled(image.height, kept);
  const auto left = static_cast<int>(random.below(static_cast<std::size_t>(image.width - width + 1)));
  const auto top = static_cast<int>(random.below(static_cast<std::size_t>(image.height - height + 1)));
  return crop(image, left, top, width, height);
}

Image recompress_attack(const Image& image, Strength strength, Random&) {
  return decode_image(encode_jpeg(image, recompression_quality(strength)));
}

Image shrink_attack(const Image& image, Strength strength, Random&) {
  const double factor = by_strength(strength, 0.75, 0.5, 0.25);
  return resize(image, scaled(image.width, factor), scaled(image.height, factor), Filter::bicubic);
}

Image mirror_attack(const Image& image, Strength, Random&) { return apply_orientation(image, 2); }

Image border_attack(const Image& image, Strength strength, Random& random) {
  using Colour = std::array<std::uint8_t, 3>;
  constexpr std::array<Colour, 6> kColours = {
      {{0, 0, 0}, {255, 255, 255}, {128, 128, 128}, {96, 16, 16}, {24, 40, 96}, {232, 200, 64}}};
  const Colour colour = kColours[random.below(kColours.size())];
  const int width = scaled(std::min(image.width, image.height), by_strength(strength, 0.04, 0.08, 0.16));
  Image framed(image.width + 2 * width, image.height + 2 * width);
  for (std::size_t i = 0; i < framed.data.size(); ++i) framed.data[i] = colour[i % 3];
  for (int y = 0; y < image.height; ++y) std::copy_n(image.row(y), image.width * 3, framed.row(y + width) + width * 3);
  return framed;
}

Image watermark_attack(const Image& image, Strength strength, Random& random) {
  constexpr std::array<const char*, 6> kTexts = {"SAMPLE",    "PREVIEW",         "STOCK PHOTO",
                                                 "COPYRIGHT", "www.example.com", "(c) 2024 Example"};
  Watermark mark;
  mark.text = kTexts[random.below(kTexts.size())];
  mark.opacity = by_strength(strength, 0.3, 0.5, 0.7);
  mark.span = by_strength(strength, 0.6, 0.85, 0.65);
  mark.lines = by_strength(strength, 1, 1, 3);
  mark.rising = random.below(2) == 1;
  mark.tilt = random.between(-5, 5);
  return draw_watermark(image, mark);
}

constexpr std::array kAttacks = {
    Attack{"watermark", "semi-transparent text across: small and faint, across and half opaque, three bold lines",
           watermark_attack},
    Attack{"crop", "a part of 85, 70 or 50 % of each side, anywhere in the picture", crop_attack},
    Attack{"recompress", "JPEG at quality 50, 20 or 10", recompress_attack},
    Attack{"shrink", "to 75, 50 or 25 % of each side", shrink_attack},
    Attack{"mirror", "left and right exchanged, at any strength", mirror_attack},
    Attack{"border", "a frame of 4, 8 or 16 % of the short side, in one of six colours", border_attack},
};

bool recompresses(const AttackChain::Step& step) { return step.attack->apply == recompress_attack; }

AttackChain::Step parse_step(std::string_view text) {
  const std::size_t colon = text.find(':');
  const std::string_view name = text.substr(0, colon);
  const auto attack = std::ranges::find(kAttacks, name, &Attack::name);
  if (attack == kAttacks.end()) {
    std::string known;
    for (const Attack& each : kAttacks) known += fmt::format("{}{}", known.empty() ? "" : ", ", each.name);
    throw UsageError(fmt::format("'{}': no such attack; there are {}", display_path(name), known));
  }
  AttackChain::Step step{&*attack, Strength::medium};
  if (colon != std::string_view::npos) {
    const auto strength = std::ranges::find(kStrengths, text.substr(colon + 1));
    if (strength == kStrengths.end())
      throw UsageError(fmt::format("'{}': no such strength; there are light, medium and strong", display_path(text)));
    step.strength = static_cast<Strength>(strength - kStrengths.begin());
  }
  return step;
}

}  // namespace

std::span<const Attack> all_attacks() { return kAttacks; }

int recompression_quality(Strength strength) { return by_strength(strength, 50, 20, 10); }

std::string AttackChain::name() const {
  std::string text;
  for (const Step& step : steps) {
    if (!text.empty()) text += '+';
    text += step.attack->name;
    if (step.strength != Strength::medium)
      text += fmt::format(":{}", kStrengths[static_cast<std::size_t>(step.strength)]);
  }
  return text;
}

AttackChain parse_attack_chain(std::string_view text) {
  AttackChain chain;
  for (const std::string_view step : split(text, '+')) chain.steps.push_back(parse_step(step));
  return chain;
}

std::vector<AttackChain> default_attack_chains() {
  std::vector<AttackChain> chains;
  for (const char* text : {"watermark", "crop", "recompress", "shrink", "mirror", "border", "watermark+crop+recompress",
                           "mirror+border", "crop+shrink+recompress", "border+watermark"})
    chains.push_back(parse_attack_chain(text));
  return chains;
}

std::vector<std::byte> doctor_image(const Image& original, const AttackChain& chain, int quality, Random& random) {
  auto steps = std::span(chain.steps);
  if (!steps.empty() && recompresses(steps.back())) {  // writing the file is the recompression
    quality = recompression_quality(steps.back().strength);
    steps = steps.first(steps.size() - 1);
  }
  Image image = original;
  for (const AttackChain::Step& step : steps) image = step.attack->apply(image, step.strength, random);
  return encode_jpeg(image, quality);
}

}  // namespace cbir
