#include <cbir/index/scan.hpp>

#include <bit>
#include <random>
#include <set>
#include <string>
#include <vector>

#include <lib/base/targets.hpp>
#include <lib/index/scan_kernels.hpp>
#include <lib/index/scan_reference.hpp>
#include <tests/catch.hpp>
#include <tests/index/targets.hpp>

using namespace cbir;

namespace {

/// Runs the body with each instruction set that has a scan of its own; says which.
template <typename Body>
std::set<std::string> for_each_target(const Body& body) {
  return fixture::for_each_target(scan_target, body);
}

bool has_fma(const std::string& target) { return !target.starts_with("SSE") && !target.starts_with("SSSE"); }

std::vector<float> numbers(std::size_t count, unsigned seed) {
  std::mt19937 generator(seed);
  std::normal_distribution<float> normal;
  std::vector<float> out(count);
  for (float& x : out) x = normal(generator);
  return out;
}

bool same_bits(float a, float b) { return std::bit_cast<std::uint32_t>(a) == std::bit_cast<std::uint32_t>(b); }

/// Matrices whose rows begin at any address, and a little room after each row of the result to see that it stays free.
struct Case {
  Case(std::size_t query_count, std::size_t row_count, std::size_t dim, std::size_t shift)
      : query_data(numbers(query_count * (dim + shift) + shift, 1)),
        row_data(numbers(row_count * (dim + shift) + shift, 2)),
        scores(query_count * (row_count + 3), -7.0F),
        queries(query_data.data() + shift, query_count, dim, dim + shift),
        rows(row_data.data() + shift, row_count, dim, dim + shift),
        out(scores.data(), query_count, row_count, row_count + 3) {}
  std::vector<float> query_data, row_data, scores;
  MatrixView<const float> queries, rows;
  MatrixView<float> out;
};

void check_against_reference(const std::string& target, Case& c) {
  const auto check = [&](float (*reference)(const float*, const float*, std::size_t)) {
    std::size_t wrong = 0;
    for (std::size_t q = 0; q < c.queries.rows; ++q) {
      for (std::size_t r = 0; r < c.rows.rows; ++r) {
        const float expected = reference(c.queries.row(q).data(), c.rows.row(r).data(), c.rows.cols);
        const float found = c.out.row(q)[r];
        const bool equal =
            has_fma(target) ? same_bits(found, expected) : found == Approx(expected).epsilon(1e-4).margin(1e-3);
        if (!equal) ++wrong;
      }
      for (std::size_t i = 0; i < 3; ++i) wrong += c.out.row(q).data()[c.rows.rows + i] != -7.0F;
    }
    CHECK(wrong == 0);
  };
  inner_products(c.queries, c.rows, c.out);
  check(reference::inner_product);
  negative_squared_distances(c.queries, c.rows, c.out);
  check(reference::negative_squared_distance);
}

}  // namespace

TEST_CASE("every instruction set gives the bits of the plain loops") {
  const auto seen = for_each_target([](const std::string& target) {
    for (const std::size_t dim : {16, 48, 256, 272, 1280}) {
      for (const std::size_t query_count : {1, 2, 3, 5, 6, 7, 13}) {
        for (const std::size_t row_count : {1, 2, 3, 4, 5, 66}) {
          Case c(query_count, row_count, dim, (dim + query_count) % 4);
          check_against_reference(target, c);
        }
      }
    }
  });
  CHECK(!seen.empty());
  WARN("instruction sets tested: " << [&] {
    std::string names;
    for (const std::string& name : seen) names += name + ' ';
    return names;
  }());
}

TEST_CASE("rows beyond one block of the cache are scored as well") {
  for_each_target([](const std::string& target) {
    Case c(7, 3001, 32, 1);
    check_against_reference(target, c);
  });
}

TEST_CASE("nothing to score is no error") {
  std::vector<float> some(32);
  const MatrixView<const float> one(some.data(), 1, 16), none(some.data(), 0, 16);
  inner_products(none, one, {some.data() + 16, 0, 1});
  inner_products(one, none, {some.data() + 16, 1, 0});
  CHECK(some == std::vector<float>(32));
}

TEST_CASE("a vector's distance to itself scores plus zero") {
  for_each_target([](const std::string&) {
    const std::vector<float> vector = numbers(32, 3);
    float score = 1;
    negative_squared_distances({vector.data(), 1, 32}, {vector.data(), 1, 32}, {&score, 1, 1});
    CHECK(same_bits(score, 0.0F));
  });
}

TEST_CASE("the first score at or above a threshold is found wherever it is") {
  for_each_target([](const std::string&) {
    std::vector<float> scores(70, 0.0F);
    scores[3] = std::numeric_limits<float>::quiet_NaN();
    for (std::size_t at = 0; at < scores.size(); ++at) {
      if (at == 3) continue;
      scores[at] = 1.0F;
      std::size_t wrong = 0;
      for (std::size_t begin = 0; begin <= scores.size(); ++begin)
        wrong += first_at_least(scores.data(), begin, scores.size(), 1.0F) != (begin <= at ? at : scores.size());
      CHECK(wrong == 0);
      scores[at] = 0.0F;
    }
  });
}
