#include <cbir/base/hash.hpp>

#include <nettle/sha2.h>
#include <xxhash.h>
#ifdef CBIR_XXHASH_DISPATCHES
#include <xxh_x86dispatch.h>  // puts variants in the place of XXH3_128bits and others
#endif

#include <new>

#include <cbir/base/text.hpp>

namespace cbir {
namespace {

Xxh3 canonical(XXH128_hash_t hash) {
  XXH128_canonical_t bytes;
  XXH128_canonicalFromHash(&bytes, hash);
  Xxh3 out;
  std::copy(std::begin(bytes.digest), std::end(bytes.digest), out.begin());
  return out;
}

}  // namespace

struct Xxh3Hasher::State {
  State() : xxh(XXH3_createState()) {
    if (!xxh) throw std::bad_alloc();
    XXH3_128bits_reset(xxh);
  }
  ~State() { XXH3_freeState(xxh); }
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  XXH3_state_t* xxh;
};

Xxh3Hasher::Xxh3Hasher() : state_(std::make_unique<State>()) {}
Xxh3Hasher::~Xxh3Hasher() = default;
Xxh3Hasher::Xxh3Hasher(Xxh3Hasher&&) noexcept = default;
Xxh3Hasher& Xxh3Hasher::operator=(Xxh3Hasher&&) noexcept = default;

void Xxh3Hasher::update(Bytes data) { XXH3_128bits_update(state_->xxh, data.data(), data.size()); }
Xxh3 Xxh3Hasher::digest() const { return canonical(XXH3_128bits_digest(state_->xxh)); }

Xxh3 xxh3(Bytes data) { return canonical(XXH3_128bits(data.data(), data.size())); }
std::uint64_t xxh3_64(Bytes data) { return XXH3_64bits(data.data(), data.size()); }

std::string hex(const Xxh3& digest) { return to_hex({reinterpret_cast<const char*>(digest.data()), digest.size()}); }

std::string sha256(Bytes data) {
  sha256_ctx context;
  sha256_init(&context);
  sha256_update(&context, data.size(), reinterpret_cast<const std::uint8_t*>(data.data()));
  std::array<std::uint8_t, SHA256_DIGEST_SIZE> digest;
  sha256_digest(&context, digest.size(), digest.data());
  return to_hex({reinterpret_cast<const char*>(digest.data()), digest.size()});
}

}  // namespace cbir
