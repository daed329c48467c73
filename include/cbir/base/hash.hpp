#pragma once
/// XXH3 (128 bits) for accidental damage, SHA-256 (FIPS 180-4) for identity of weights and encoders.

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include <cbir/base/bytes.hpp>

namespace cbir {

/// A 128-bit XXH3 digest, in XXH128's canonical (big-endian) byte order.
using Xxh3 = std::array<std::uint8_t, 16>;

Xxh3 xxh3(Bytes data);
std::string hex(const Xxh3& digest);  ///< 32 lower-case digits

/// 64-bit XXH3, seed 0.
std::uint64_t xxh3_64(Bytes data);

/// Streaming XXH3-128.
class Xxh3Hasher {
 public:
  Xxh3Hasher();
  ~Xxh3Hasher();
  Xxh3Hasher(Xxh3Hasher&&) noexcept;
  Xxh3Hasher& operator=(Xxh3Hasher&&) noexcept;

  void update(Bytes data);
  Xxh3 digest() const;  ///< of everything so far; may be called repeatedly

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// SHA-256 as 64 lower-case hexadecimal digits.
std::string sha256(Bytes data);
inline std::string sha256(std::string_view text) { return sha256(as_bytes(text)); }

}  // namespace cbir
