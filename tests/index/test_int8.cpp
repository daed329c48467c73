#include <lib/index/int8_kernels.hpp>

#include <cstring>
#include <numeric>
#include <random>
#include <vector>

#include <tests/catch.hpp>
#include <tests/index/targets.hpp>

using namespace cbir;

namespace {

std::vector<std::int8_t> codes(std::size_t count, unsigned seed) {
  std::mt19937 generator(seed);
  std::vector<std::int8_t> out(count);
  for (std::int8_t& code : out) code = static_cast<std::int8_t>(static_cast<int>(generator() % 255) - 127);
  return out;
}

void check_products(const std::vector<std::int8_t>& query, const std::vector<std::int8_t>& rows, std::size_t stride,
                    const std::vector<std::uint32_t>& which) {
  std::vector<std::int32_t> products(which.size() + 1, -7), expected = products;
  for (std::size_t i = 0; i < which.size(); ++i)
    expected[i] = reference::int8_product(query.data(), rows.data() + which[i] * stride, query.size());
  int8_products(query, {rows.data(), stride}, which, products.data());
  CHECK(products == expected);
}

}  // namespace

TEST_CASE("products of codes are those of the plain loop, with every instruction set") {
  fixture::for_each_target([] {
    for (const std::size_t count : {64, 128, 192, 1280}) {
      const std::size_t stride = count + 16, rows = 9;
      for (const std::size_t wanted : {0, 1, 2, 3, 4, 5, 8, 11}) {
        std::vector<std::uint32_t> which;
        for (std::size_t i = 0; i < wanted; ++i) which.push_back(static_cast<std::uint32_t>(i * 5 % rows));
        check_products(codes(count, 1), codes(rows * stride, 2), stride, which);
      }
    }
  });
}

TEST_CASE("the largest codes do not overflow") {
  fixture::for_each_target([] {
    for (const int of_query : {-127, 127})
      for (const int of_row : {-127, 127})
        check_products(std::vector<std::int8_t>(kMaxCodes, static_cast<std::int8_t>(of_query)),
                       std::vector<std::int8_t>(kMaxCodes, static_cast<std::int8_t>(of_row)), kMaxCodes,
                       {0, 0, 0, 0, 0});
  });
}

TEST_CASE("the distance of two points is that of the formula, with every instruction set") {
  fixture::for_each_target([] {
    for (const std::size_t count : {64, 128, 192, 320}) {
      const auto point = [&](unsigned seed) {
        const std::vector<std::int8_t> of = codes(count, seed);
        const Int8Point head{.scale = 0.01F,
                             .half_norm = 3,
                             .lift = static_cast<float>(seed),
                             .sum = std::accumulate(of.begin(), of.end(), 0)};
        std::vector<Int8Point> out(1 + count / sizeof(Int8Point), head);
        std::memcpy(static_cast<void*>(out.data() + 1), of.data(), count);
        return out;
      };
      const auto a = point(1), b = point(2);
      const std::int32_t product = reference::int8_product(reinterpret_cast<const std::int8_t*>(&a[1]),
                                                           reinterpret_cast<const std::int8_t*>(&b[1]), count);
      CHECK(int8_distance()(a.data(), b.data(), &count) == Approx(6 - 0.0001 * product + 0.5).epsilon(1e-5));
    }
  });
}
