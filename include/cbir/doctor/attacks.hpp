#pragma once
/// What people do to pictures that are not theirs: one table of named attacks, and chains of them.

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <cbir/image/image.hpp>

namespace cbir {

/// SplitMix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014): the same numbers everywhere.
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}
  std::uint64_t next();
  /// Uniform in [0, count); count at least 1.
  std::size_t below(std::size_t count);
  /// Uniform in [low, high).
  double between(double low, double high);

 private:
  std::uint64_t state_;
};

enum class Strength { light, medium, strong };

struct Attack {
  std::string_view name;
  std::string_view description;                     ///< with the three strengths' parameters
  Image (*apply)(const Image&, Strength, Random&);  ///< never makes a side smaller than one pixel
};

/// All attacks, in the order of the documentation.
std::span<const Attack> all_attacks();

/// The JPEG quality of the attack "recompress".
int recompression_quality(Strength strength);

/// Attacks one after another, as "watermark+crop:strong+recompress".
struct AttackChain {
  struct Step {
    const Attack* attack = nullptr;
    Strength strength = Strength::medium;
  };
  std::vector<Step> steps;

  /// As parse_attack_chain reads it, ":medium" left out.
  std::string name() const;
};

/// NAME or NAME:STRENGTH, joined by '+'. Throws UsageError that lists what there is.
AttackChain parse_attack_chain(std::string_view text);

/// As parse_attack_chain; "all" and "all:STRENGTH" are every attack alone, at that strength.
std::vector<AttackChain> parse_attacks(std::string_view text);

/// The chains that are used unless others are named: each attack alone, and some that go together.
std::vector<AttackChain> default_attack_chains();

/// Applies a chain and returns the JPEG that its author would post: at `quality`, or, if the chain ends in recompress,
/// at the quality of that.
std::vector<std::byte> doctor_image(const Image& original, const AttackChain& chain, int quality, Random& random);

}  // namespace cbir
