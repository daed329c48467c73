#include <cbir/doctor/attacks.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include <cbir/base/text.hpp>

#include "parts.hpp"

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

constexpr std::array kAttacks = {
    Attack{"watermark", "semi-transparent text across: small and faint, across and half opaque, three bold lines",
           watermark_attack},
    Attack{"logo", "an emblem in a corner, 20, 35 or 55 % of the short side", logo_attack},
    Attack{"crop", "a part of 85, 70 or 50 % of each side, anywhere in the picture", crop_attack},
    Attack{"border", "a frame of 4, 8 or 16 % of the short side, in one of six colours", border_attack},
    Attack{"collage", "one of 2, 4 or 9 tiles; the others are drawings", collage_attack},
    Attack{"screenshot", "in a viewer's window, in a post on a telephone, on a page in a browser", screenshot_attack},
    Attack{"recompress", "JPEG at quality 50, 20 or 10", recompress_attack},
    Attack{"shrink", "to 75, 50 or 25 % of each side", shrink_attack},
    Attack{"blur", "by a Gaussian whose sigma is 0.5, 1 or 2 % of the short side", blur_attack},
    Attack{"noise", "Gaussian, with a deviation of 12, 25 or 50 of 255", noise_attack},
    Attack{"colour", "other hue, saturation, contrast and brightness, a little, clearly or crudely", colour_attack},
    Attack{"grey", "most of the colour gone, all of it, or as a photocopy", grey_attack},
    Attack{"mirror", "left and right exchanged, at any strength", mirror_attack},
    Attack{"rotate5", "turned by 2.5, 5 or 10 degrees, either way, on black or white", rotate5_attack},
    Attack{"rotate90", "a quarter turn to the left or the right, at any strength", rotate90_attack},
    Attack{"perspective", "as photographed from one side, which tapers by up to 8, 16 or 30 %", perspective_attack},
};

bool recompresses(const AttackChain::Step& step) { return step.attack->apply == recompress_attack; }

/// What follows the colon in `text`; medium if there is none.
Strength parse_strength(std::string_view text) {
  const std::size_t colon = text.find(':');
  if (colon == std::string_view::npos) return Strength::medium;
  const auto strength = std::ranges::find(kStrengths, text.substr(colon + 1));
  if (strength == kStrengths.end())
    throw UsageError(fmt::format("'{}': no such strength; there are light, medium and strong", display_path(text)));
  return static_cast<Strength>(strength - kStrengths.begin());
}

AttackChain::Step parse_step(std::string_view text) {
  const std::string_view name = text.substr(0, text.find(':'));
  const auto attack = std::ranges::find(kAttacks, name, &Attack::name);
  if (attack == kAttacks.end()) {
    std::string known;
    for (const Attack& each : kAttacks) known += fmt::format("{}{}", known.empty() ? "" : ", ", each.name);
    throw UsageError(fmt::format("'{}': no such attack; there are {}", display_path(name), known));
  }
  return {&*attack, parse_strength(text)};
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

std::vector<AttackChain> parse_attacks(std::string_view text) {
  if (text != "all" && !text.starts_with("all:")) return {parse_attack_chain(text)};
  const Strength strength = parse_strength(text);
  std::vector<AttackChain> chains;
  for (const Attack& attack : kAttacks) chains.push_back({{{&attack, strength}}});
  return chains;
}

std::vector<AttackChain> default_attack_chains() {
  std::vector<AttackChain> chains = parse_attacks("all");
  for (const char* text : {"watermark+crop+recompress", "mirror+border", "crop+shrink+recompress", "border+watermark"})
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
