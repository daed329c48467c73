#include <lib/index/pq4.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>

#include <cbir/base/parallel.hpp>
#include <lib/index/aligned.hpp>
#include <lib/index/pq4_reference.hpp>
#include <tests/catch.hpp>
#include <tests/index/index_fixture.hpp>
#include <tests/index/targets.hpp>

using namespace cbir;

namespace {

/// Vectors, their codebooks, codes and blocks; and the tables of a query.
struct Coded {
  Coded(std::size_t row_count, const Pq4Shape& s, unsigned seed)
      : shape(s),
        dim(s.sub_quantizers * s.dims),
        rows(row_count),
        vectors(fixture::random_vectors(rows, dim, seed)),
        query(fixture::random_vectors(1, dim, seed + 1)),
        codebooks(train_pq4(s, {vectors.data(), rows, dim}, 4, 1)),
        codes(rows * s.sub_quantizers),
        blocks((rows + 31) / 32 * s.block_bytes()),
        memory(s.table_bytes() / sizeof(float)) {
    const Pq4Encoder encoder(shape, codebooks);
    std::vector<float> room(shape.sub_quantizers * pq4::kCentroids);
    std::mt19937 generator(seed);
    for (std::size_t r = 0; r < rows; ++r) {
      encoder.encode(vectors.data() + r * dim, room.data(), codes.data() + r * shape.sub_quantizers);
      factors.push_back(static_cast<std::uint16_t>(generator() % 32768));
      pack_row(shape, codes_of(r), factors.back(), r % 32, blocks.data() + r / 32 * shape.block_bytes());
    }
    tables.bytes = reinterpret_cast<std::uint8_t*>(memory.data());
    make_tables(shape, codebooks, query.data(), factor_range, bias_range, scratch, tables);
  }

  std::span<const std::uint8_t> codes_of(std::size_t row) const {
    return std::span(codes).subspan(row * shape.sub_quantizers, shape.sub_quantizers);
  }
  /// The inner product of the query and the decoded row.
  double plain(std::size_t row) const {
    double sum = 0;
    for (std::size_t i = 0; i < dim; ++i)
      sum += static_cast<double>(query[i]) *
             static_cast<double>(codebooks[i * pq4::kCentroids + codes_of(row)[i / shape.dims]]);
    return sum;
  }
  const std::uint8_t* block_of(std::size_t row) const { return blocks.data() + row / 32 * shape.block_bytes(); }
  Pq4Scan scan(Reservoir& out, std::int32_t bias) const {
    return {.tables = tables.bytes, .factor_scale = tables.factor_scale, .bias = bias, .out = &out};
  }

  static constexpr double factor_range = 0.5, bias_range = 10;
  Pq4Shape shape;
  std::size_t dim, rows;
  std::vector<float> vectors, query, codebooks;
  std::vector<std::uint8_t> codes, blocks;
  std::vector<std::uint16_t> factors;
  AlignedFloats memory;
  Pq4Scratch scratch;
  Pq4Tables tables;
};

std::vector<std::uint64_t> sorted(Reservoir& reservoir) {
  reservoir.select();
  std::vector<std::uint64_t> out(reservoir.entries().begin(), reservoir.entries().end());
  std::sort(out.begin(), out.end(), std::greater<>());
  return out;
}

}  // namespace

TEST_CASE("codes are those of the nearest centroids") {
  const Coded c(100, {.dims = 2, .sub_quantizers = 7}, 1);
  std::size_t wrong = 0;
  for (std::size_t r = 0; r < c.rows; ++r) {
    for (std::size_t s = 0; s < 7; ++s) {
      const auto distance = [&](std::size_t centroid) {
        double sum = 0;
        for (std::size_t d = 2 * s; d < 2 * s + 2; ++d)
          sum += std::pow(static_cast<double>(c.vectors[r * c.dim + d] - c.codebooks[d * 16 + centroid]), 2);
        return sum;
      };
      for (std::size_t other = 0; other < 16; ++other) wrong += distance(other) < distance(c.codes_of(r)[s]) - 1e-6;
    }
  }
  CHECK(wrong == 0);
}

TEST_CASE("what is packed is found again, with numbers of sub-quantisers that fill no line as well") {
  for (const std::size_t count : {1, 3, 4, 5, 64, 321}) {
    const Coded c(70, {.dims = 1, .sub_quantizers = count}, 2);
    std::size_t wrong = 0;
    for (std::size_t r = 0; r < c.rows; ++r) {
      wrong += reference::pq4_factor(c.block_of(r), r % 32) != c.factors[r];
      for (std::size_t s = 0; s < count; ++s)
        wrong += reference::pq4_code(c.block_of(r), s, r % 32) != c.codes_of(r)[s];
    }
    CHECK(wrong == 0);
  }
}

TEST_CASE("float tables give the inner product with the decoded row, tables in bytes nearly so") {
  const Coded c(200, {.dims = 4, .sub_quantizers = 33}, 3);
  double least = 0;
  for (const float smallest : c.scratch.smallest) least += static_cast<double>(smallest);
  Reservoir none;
  for (std::size_t r = 0; r < c.rows; ++r) {
    double sum = 0;
    for (std::size_t s = 0; s < 33; ++s) sum += static_cast<double>(c.scratch.tables[s * 16 + c.codes_of(r)[s]]);
    CHECK(sum == Approx(c.plain(r)).margin(1e-4));
    const std::int32_t score = reference::pq4_score(c.block_of(r), c.shape.lines(), r % 32, c.scan(none, 0));
    const double factor = c.factor_range * static_cast<double>(c.factors[r]) / 32767;
    // Half a unit for each entry, and for the factor.
    CHECK(std::abs(score / c.tables.scale + least - c.plain(r) - factor) <= (33 / 2.0 + 2) / c.tables.scale);
  }
}

TEST_CASE("every instruction set adds what the plain loops add") {
  for (const std::size_t count : {1, 2, 5, 8, 64, 320, 1023}) {
    const Coded c(150, {.dims = 1, .sub_quantizers = count}, 4);
    for (const std::size_t queries : {1, 2, 3, 5, 7, 13}) {
      for (const auto& [begin, end] : {std::pair{0, 150}, {5, 6}, {31, 33}, {32, 96}, {149, 150}, {40, 40}}) {
        std::vector<Reservoir> expected(queries), found(queries);
        const auto scans = [&](std::vector<Reservoir>& out) {
          std::vector<Pq4Scan> all;
          for (std::size_t q = 0; q < queries; ++q) {
            out[q].reset(10 + q);
            all.push_back(c.scan(out[q], -static_cast<std::int32_t>(q) * 100));
          }
          return all;
        };
        const auto first = static_cast<std::size_t>(begin), last = static_cast<std::size_t>(end);
        reference::pq4_scan(c.blocks.data(), c.shape.lines(), first, last, scans(expected), {});
        std::vector<std::vector<std::uint64_t>> wanted;
        for (Reservoir& reservoir : expected) wanted.push_back(sorted(reservoir));
        fixture::for_each_target(pq4_target, [&](const std::string&) {
          pq4_scan(c.blocks.data(), c.shape.lines(), first, last, scans(found), {});
          for (std::size_t q = 0; q < queries; ++q) CHECK(sorted(found[q]) == wanted[q]);
        });
      }
    }
  }
}

TEST_CASE("every instruction set makes the tables and codes of the plain loops") {
  const std::size_t subs = 13;
  const std::vector<float> tables = fixture::random_vectors(subs, 16, 5),
                           offsets = fixture::random_vectors(subs, 16, 6);
  std::vector<float> low(subs), high(subs), low2(subs), high2(subs);
  std::vector<std::uint8_t> bytes(subs * 16), bytes2(subs * 16), codes(subs), codes2(subs);
  reference::pq4_ranges(tables.data(), subs, low.data(), high.data());
  reference::pq4_quantize(tables.data(), subs, low.data(), 133.3F, bytes.data());
  reference::pq4_best(tables.data(), offsets.data(), subs, codes.data());
  Best best;
  reference::best_difference(tables.data(), offsets.data(), tables.size(), 7, best);
  const auto seen = fixture::for_each_target(pq4_target, [&](const std::string&) {
    pq4_ranges(tables.data(), subs, low2.data(), high2.data());
    pq4_quantize(tables.data(), subs, low.data(), 133.3F, bytes2.data());
    pq4_best(tables.data(), offsets.data(), subs, codes2.data());
    CHECK(low2 == low);
    CHECK(high2 == high);
    CHECK(bytes2 == bytes);
    CHECK(codes2 == codes);
    Best found;
    best_difference(tables.data(), offsets.data(), tables.size(), 7, found);
    CHECK(found.index == best.index);
    CHECK(found.value == best.value);
    for (const std::size_t dims : {1, 2, 4, 8}) {
      const std::vector<float> books = fixture::random_vectors(subs * dims, 16, 7),
                               x = fixture::random_vectors(1, subs * dims, 8);
      std::vector<float> expected(subs * 16), sums(subs * 16);
      reference::pq4_inner_products(x.data(), books.data(), subs, dims, expected.data());
      pq4_inner_products(x.data(), books.data(), subs, dims, sums.data());
      for (std::size_t i = 0; i < sums.size(); ++i) CHECK(sums[i] == Approx(expected[i]).margin(1e-5));
    }
  });
  CHECK(!seen.empty());
}

TEST_CASE("sums of table entries stay within 16 bits, whatever the spans") {
  const Pq4Shape shape{.dims = 1, .sub_quantizers = 320};
  // Equal spans, whose rounded scale would overflow: 16 centroids from 0 to 1.
  std::vector<float> codebooks(shape.codebook_floats());
  for (std::size_t i = 0; i < codebooks.size(); ++i) codebooks[i] = static_cast<float>(i % 16) / 15.0F;
  AlignedFloats memory(shape.table_bytes() / sizeof(float));
  Pq4Scratch scratch;
  Pq4Tables tables{.bytes = reinterpret_cast<std::uint8_t*>(memory.data())};
  for (const double factor_range : {0.0, 1.0, 1e4}) {
    for (const float size : {1e-30F, 1.0F, 1e30F}) {
      const std::vector<float> query(320, size);
      make_tables(shape, codebooks, query.data(), factor_range * static_cast<double>(size), 0, scratch, tables);
      std::size_t sum = (std::size_t{32767} * tables.factor_scale + (1 << 14)) >> 15;
      for (std::size_t s = 0; s < 320; ++s) sum += *std::max_element(tables.bytes + s * 16, tables.bytes + s * 16 + 16);
      CHECK(sum <= 65535);
      CHECK(sum >= 32000);  // and the range is used
    }
  }
}

TEST_CASE("tables without any span, and numbers that are none, are taken as they are") {
  const Pq4Shape shape{.dims = 1, .sub_quantizers = 4};
  AlignedFloats memory(shape.table_bytes() / sizeof(float));
  Pq4Scratch scratch;
  Pq4Tables tables{.bytes = reinterpret_cast<std::uint8_t*>(memory.data())};
  for (const float value :
       {0.0F, 1.0F, std::numeric_limits<float>::infinity(), std::numeric_limits<float>::quiet_NaN()}) {
    const std::vector<float> codebooks(shape.codebook_floats(), value), query(4, 1.0F);
    make_tables(shape, codebooks, query.data(), 0, 0, scratch, tables);
    CHECK(std::all_of(tables.bytes, tables.bytes + 64, [](std::uint8_t x) { return x == 0; }));
    CHECK(tables.bias(std::numeric_limits<double>::quiet_NaN()) == 0);
    CHECK(tables.bias(1e300) >= -(1 << 29));
  }
}

TEST_CASE("codebooks are the same with any number of threads") {
  const Pq4Shape shape{.dims = 2, .sub_quantizers = 40};
  const std::vector<float> vectors = fixture::random_vectors(1000, 80, 9);
  const auto with = [&](std::size_t threads) {
    const ThreadLimit limit(threads);
    return train_pq4(shape, {vectors.data(), 1000, 80}, 5, 1);
  };
  CHECK(with(1) == with(4));
}

TEST_CASE("a reservoir keeps the best, of equal ones the first, in whatever order they come") {
  std::vector<std::pair<std::int32_t, std::uint32_t>> all;
  for (std::uint32_t i = 0; i < 1000; ++i) all.emplace_back(static_cast<std::int32_t>(i * 7919 % 50) - 25, i);
  const auto kept = [&](unsigned seed) {
    std::shuffle(all.begin(), all.end(), std::mt19937(seed));
    Reservoir reservoir;
    reservoir.reset(33);
    for (const auto& [score, position] : all) {
      reservoir.make_room();
      if (score >= reservoir.threshold()) reservoir.add(score, position);
    }
    return sorted(reservoir);
  };
  const std::vector<std::uint64_t> first = kept(1);
  REQUIRE(first.size() == 33);
  CHECK(Reservoir::score(first.front()) == 24);
  CHECK(Reservoir::score(first.back()) == 23);
  for (unsigned seed = 2; seed < 10; ++seed) CHECK(kept(seed) == first);
}
