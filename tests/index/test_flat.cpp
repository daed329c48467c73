#include <algorithm>
#include <bit>
#include <cmath>
#include <functional>
#include <map>
#include <random>
#include <set>

#include <cbir/base/error.hpp>
#include <cbir/base/parallel.hpp>
#include <cbir/index/scan.hpp>
#include <cbir/index/vectors.hpp>
#include <lib/base/targets.hpp>
#include <lib/index/aligned.hpp>
#include <lib/index/flat.hpp>
#include <lib/index/flat_reference.hpp>
#include <lib/index/flat_search.hpp>
#include <lib/index/int8.hpp>
#include <lib/index/opened.hpp>
#include <tests/catch.hpp>
#include <tests/index/index_fixture.hpp>

using namespace cbir;
using fixture::random_vectors;

namespace {

using Vectors = std::vector<float>;

/// Runs the body with each instruction set that this processor and this build have, and what it builds upon.
template <typename Body>
std::set<std::string> for_each_target(const Body& body) {
  std::set<std::string> seen;
  const std::int64_t all = supported_targets();
  for (std::int64_t left = all; left != 0; left &= left - 1) {
    restrict_targets(left);
    const std::string name = code_target();
    if (seen.insert(name).second) {
      INFO("instruction set " << name);
      body(name);
    }
    restrict_targets(0);
  }
  return seen;
}

bool has_fma(const std::string& target) { return !target.starts_with("SSE") && !target.starts_with("SSSE"); }

/// An index of one segment, and its codes.
struct Built {
  Built(const Vectors& vectors, std::size_t dim, Metric metric)
      : index(Container::open(fixture::build(folder, vectors, dim, metric), Check::opening)) {}
  const Segment& segment() const { return index.segments.front(); }
  RowMask all() const { return {.words = {}, .passing = segment().size()}; }
  CodePanels panels() const {
    const auto content = [&](SectionKind kind, ElementType type) {
      return index.container.content(segment().number, kind, type).data();
    };
    return {.codes = reinterpret_cast<const std::uint8_t*>(content(SectionKind::int8_codes, ElementType::int8)),
            .factors = reinterpret_cast<const float*>(content(SectionKind::int8_factors, ElementType::float32)),
            .dim = segment().vectors.cols,
            .factor_kinds = index.meta.metric == Metric::l2 ? 4U : 3U};
  }
  TemporaryFolder folder;
  OpenedIndex index;
};

/// Queries as Index prepares them; those that cannot be normalised are left as they are not, but made (1, 0, ...).
struct Queries {
  Queries(const Vectors& vectors, std::size_t dim, Metric metric)
      : data(vectors.size() / dim * padded_dim(dim)), view(data.data(), vectors.size() / dim, padded_dim(dim)) {
    for (std::size_t q = 0; q < view.rows; ++q) {
      const std::span<float> to(data.data() + q * view.stride, dim);
      std::copy_n(vectors.data() + q * dim, dim, to.data());
      if (prepare_vector(to, metric == Metric::cosine) == VectorState::zero) to[0] = 1;
    }
  }
  AlignedFloats data;
  MatrixView<const float> view;
};

using Ranking = std::vector<std::vector<Hit>>;

Ranking ranking(std::vector<TopK>& best) {
  Ranking out;
  for (TopK& one : best) out.push_back(one.take());
  return out;
}

bool identical(const Ranking& a, const Ranking& b) {
  return std::ranges::equal(a, b, [](const auto& x, const auto& y) {
    return std::ranges::equal(x, y, [](const Hit& p, const Hit& q) {
      return p.id == q.id && std::bit_cast<std::uint32_t>(p.score) == std::bit_cast<std::uint32_t>(q.score);
    });
  });
}

/// That Flat, its search by codes (whether Flat would choose it or not; all queries together, or one by one, so that
/// none hides behind others that leave too many rows) and PlainScan find the same.
void check_search(const Built& built, const Queries& queries, std::size_t k, const RowMask& mask) {
  const Metric metric = built.index.meta.metric;
  const std::vector<TopK> none(queries.view.rows, TopK(std::min(k, built.segment().size())));
  SearchCounts counts;
  std::vector<TopK> plain = none, flat = none, codes = none;
  PlainScan(built.segment(), metric).search(queries.view, {}, mask, plain, counts);
  Flat(built.index.container, built.segment(), metric).search(queries.view, {}, mask, flat, counts);
  BoundedQueries all(queries.view, metric);
  search_codes(built.panels(), built.segment(), metric, queries.view, all, mask, codes, counts);
  const Ranking expected = ranking(plain);
  CHECK(identical(ranking(flat), expected));
  CHECK(identical(ranking(codes), expected));
  std::vector<TopK> single = none;
  for (std::size_t q = 0; q < queries.view.rows; ++q) {
    BoundedQueries alone(slice(queries.view, q, q + 1), metric);
    search_codes(built.panels(), built.segment(), metric, slice(queries.view, q, q + 1), alone, mask,
                 std::span(single).subspan(q, 1), counts);
  }
  CHECK(identical(ranking(single), expected));
}

Vectors scaled(Vectors vectors, float factor) {
  for (float& x : vectors) x *= factor;
  return vectors;
}

/// Rows of which many are the same, or nearly: that is where a bound that is a little too low shows.
const std::map<std::string, std::function<Vectors(std::size_t rows, std::size_t dim)>> kData = {
    {"random", [](std::size_t rows, std::size_t dim) { return random_vectors(rows, dim, 1); }},
    {"clusters",
     [](std::size_t rows, std::size_t dim) {
       const Vectors centres = random_vectors(8, dim, 2), noise = random_vectors(rows, dim, 3);
       Vectors out(rows * dim);
       for (std::size_t i = 0; i < out.size(); ++i) out[i] = centres[i / dim % 8 * dim + i % dim] + 0.05F * noise[i];
       return out;
     }},
    {"duplicates",
     [](std::size_t rows, std::size_t dim) {
       const Vectors some = random_vectors(5, dim, 4);
       Vectors out(rows * dim);
       for (std::size_t i = 0; i < out.size(); ++i) out[i] = some[i / dim % 5 * dim + i % dim];
       return out;
     }},
    {"one vector, a unit in the last place here and there",
     [](std::size_t rows, std::size_t dim) {
       const Vectors one = random_vectors(1, dim, 5);
       std::mt19937 generator(6);
       Vectors out(rows * dim);
       for (std::size_t i = 0; i < out.size(); ++i)
         out[i] = generator() % 3 == 0 ? std::nextafter(one[i % dim], 2.0F) : one[i % dim];
       return out;
     }},
    {"constant vectors",
     [](std::size_t rows, std::size_t dim) {
       Vectors out(rows * dim);
       for (std::size_t i = 0; i < out.size(); ++i) out[i] = static_cast<float>(i / dim % 7) - 2.5F;
       return out;
     }},
    {"one large element a row",
     [](std::size_t rows, std::size_t dim) {
       Vectors out = random_vectors(rows, dim, 7);
       for (std::size_t r = 0; r < rows; ++r) out[r * dim + r % dim] = 300;
       return out;
     }},
    {"nothing but residuals, which add up for a query of ones",
     [](std::size_t rows, std::size_t dim) {
       std::mt19937 generator(14);
       Vectors out(rows * dim);
       for (std::size_t i = 0; i < out.size(); ++i) out[i] = generator() % rows < i / dim ? 0.3F : -0.3F;
       for (std::size_t r = 0; r < rows; ++r) out[r * dim] = 100;  // a step is 0.79
       return out;
     }},
    {"norms up to the largest",
     [](std::size_t rows, std::size_t dim) {
       Vectors out = random_vectors(rows, dim, 8);
       const auto largest = static_cast<float>(0.9 * kMaxNorm / std::sqrt(static_cast<double>(dim)));
       for (std::size_t i = 0; i < out.size(); ++i) out[i] *= largest / static_cast<float>(1 + i / dim % 3);
       return out;
     }},
    {"norms of all sizes",
     [](std::size_t rows, std::size_t dim) {
       Vectors out = random_vectors(rows, dim, 9);
       for (std::size_t i = 0; i < out.size(); ++i) out[i] *= std::pow(10.0F, static_cast<float>(i / dim % 50) - 35.0F);
       return out;
     }},
    {"denormal numbers",
     [](std::size_t rows, std::size_t dim) { return scaled(random_vectors(rows, dim, 10), 1e-40F); }},
    {"products that underflow",
     [](std::size_t rows, std::size_t dim) { return scaled(random_vectors(rows, dim, 11), 1e-21F); }},
    {"zeros among others",
     [](std::size_t rows, std::size_t dim) {
       Vectors out = random_vectors(rows, dim, 12);
       for (std::size_t i = 0; i < out.size(); ++i)
         if (i / dim % 4 != 0) out[i] = 0;
       return out;
     }},
    {"large and near to each other",
     [](std::size_t rows, std::size_t dim) {
       Vectors out = random_vectors(rows, dim, 13);
       for (float& x : out) x = 1000 + x;
       return out;
     }},
};

/// Some of the rows, others, ones but for the first element, and zeros.
Vectors queries_for(const Vectors& vectors, std::size_t dim, std::size_t count) {
  Vectors out(vectors.begin(), vectors.begin() + static_cast<std::ptrdiff_t>(count / 2 * dim));
  const Vectors others = random_vectors(count - count / 2 - 2, dim, 20);
  out.insert(out.end(), others.begin(), others.end());
  out.push_back(0);
  out.resize((count - 1) * dim, 1);
  out.resize(count * dim, 0);
  return out;
}

/// A mask of which a row passes with this chance.
struct Mask {
  Mask(std::size_t rows, double chance) : words((rows + 63) / 64) {
    std::mt19937 generator(30);
    for (std::size_t row = 0; row < rows; ++row) {
      if (static_cast<double>(generator()) >= chance * 4294967296.0) continue;
      words[row / 64] |= std::uint64_t{1} << (row % 64);
      ++passing;
    }
  }
  RowMask view() const { return {.words = words, .passing = passing}; }
  std::vector<std::uint64_t> words;
  std::size_t passing = 0;
};

void sort_passing(std::vector<Passing>& all) {
  std::ranges::sort(all, {}, [](const Passing& p) { return std::pair(p.query, p.panel); });
}

bool same(std::vector<Passing> a, std::vector<Passing> b) {
  sort_passing(a);
  sort_passing(b);
  return std::ranges::equal(a, b, [](const Passing& p, const Passing& q) {
    return p.query == q.query && p.panel == q.panel && p.rows == q.rows;
  });
}

/// Codes and factors at random, extremes among them, and queries whose thresholds divide the rows.
struct KernelCase {
  KernelCase(std::size_t query_count, std::size_t dim, std::size_t kinds, bool whole_numbers)
      : codes(kPanels * kPanelRows * dim), factors(kPanels * kinds * kPanelRows), queries(query_count, dim) {
    std::mt19937 generator(static_cast<unsigned>(query_count + dim));
    for (std::uint8_t& code : codes)
      code = generator() % 3 == 0 ? 255 : static_cast<std::uint8_t>(1 + generator() % 255);
    for (float& factor : factors) factor = whole_numbers ? 1.0F : static_cast<float>(generator() % 1000) / 100.0F;
    queries.square_weight = kinds == 4 ? -0.75F : 0.0F;
    std::ranges::fill(queries.doubt, 0.125F);
    std::vector<std::int8_t> of_query(dim);
    for (std::size_t q = 0; q < query_count; ++q) {
      Vectors vector = random_vectors(1, dim, static_cast<unsigned>(q));
      if (q % 3 == 1) std::ranges::fill(vector, q % 2 == 0 ? 1.0F : -1.0F);
      if (q % 3 == 2) vector[q % dim] = -50;
      quantize_int8(vector, of_query, largest_query_code(vector));
      queries.set_codes(q, of_query);
      queries.slope[q] = whole_numbers ? 1.0F : 0.01F * static_cast<float>(1 + q);
      queries.width[q] = whole_numbers ? 0.0F : 3.0F;
      const std::int32_t largest = 127 * 128 * static_cast<std::int32_t>(dim);
      const auto part = static_cast<float>(static_cast<std::int32_t>(generator() % 200) - 100);
      queries.threshold[q] = queries.slope[q] * part * static_cast<float>(largest) / (whole_numbers ? 2000.0F : 400.0F);
    }
    panels = {.codes = codes.data(), .factors = factors.data(), .dim = dim, .factor_kinds = kinds};
  }
  static constexpr std::size_t kPanels = 5;
  const std::vector<std::uint32_t> which = {4, 0, 1, 3};
  std::vector<std::uint8_t> codes;
  Vectors factors;
  CodeQueries queries;
  CodePanels panels;
};

/// Copies an index, with the sections that `change` returns for its own; none: left out.
void rewrite(const OpenedIndex& index, const std::string& to,
             const std::function<std::optional<std::vector<std::byte>>(const Section&, Bytes)>& change) {
  ContainerWriter writer(to, true);
  for (const Section& section : index.container.sections()) {
    if (section.kind == SectionKind::table) continue;
    const auto content = change(section, index.container.content(section));
    if (!content) continue;
    writer.begin(section.segment, section.kind, section.type);
    writer.write(*content);
    writer.end();
  }
  writer.finish(index.info.rows);
}

std::vector<std::byte> copied(Bytes bytes) { return {bytes.begin(), bytes.end()}; }

}  // namespace

TEST_CASE("flat finds what the plain scan finds, bit by bit, however rows are alike") {
  for (const auto& [name, make] : kData) {
    for (const Metric metric : {Metric::cosine, Metric::dot, Metric::l2}) {
      if (metric == Metric::cosine && name.starts_with("zeros")) continue;
      for (const std::size_t dim : {1, 3, 16, 100, 128}) {
        if (fixture::kSanitized && dim != 3 && dim != 100) continue;
        INFO(name << ", " << to_string(metric) << ", dimension " << dim);
        const std::size_t rows = 1100;
        Vectors vectors = make(rows, dim);
        if (metric == Metric::cosine)
          for (std::size_t r = 0; r < rows; ++r)  // what has no direction gets one
            if (norm({vectors.data() + r * dim, dim}) == 0) vectors[r * dim] = 1e-30F;
        const Built built(vectors, dim, metric);
        const Queries queries(queries_for(vectors, dim, 11), dim, metric);
        for_each_target([&](const std::string&) {
          for (const std::size_t k : {1, 10, 1000, 5000}) check_search(built, queries, k, built.all());
        });
      }
    }
  }
}

TEST_CASE("flat finds what the plain scan finds in long vectors and many rows") {
  const std::size_t many = 9000, dim = 20, longer = 1280;
  for (const Metric metric : {Metric::cosine, Metric::l2}) {
    for (const char* name : {"clusters", "random", "one large element a row"}) {
      const Vectors few = kData.at(name)(1200, longer), short_ones = kData.at(name)(many, dim);
      const Built long_rows(few, longer, metric), many_rows(short_ones, dim, metric);
      for_each_target([&](const std::string&) {
        check_search(long_rows, Queries(queries_for(few, longer, 17), longer, metric), 10, long_rows.all());
        for (const std::size_t k : {1, 10, 100})
          check_search(many_rows, Queries(queries_for(short_ones, dim, 40), dim, metric), k, many_rows.all());
      });
    }
  }
}

TEST_CASE("flat returns only rows of the mask, and all of them that are among the best") {
  const std::size_t rows = 5000, dim = 24;
  const Vectors vectors = kData.at("clusters")(rows, dim);
  for (const Metric metric : {Metric::dot, Metric::l2}) {
    const Built built(vectors, dim, metric);
    const Queries queries(queries_for(vectors, dim, 9), dim, metric);
    for (const double chance : {0.0, 0.001, 0.03, 0.2, 0.5, 0.99}) {
      const Mask mask(rows, chance);
      INFO(mask.passing << " rows pass");
      for (const std::size_t k : {1, 10, 600, 6000}) check_search(built, queries, k, mask.view());
    }
  }
}

TEST_CASE("flat begins with the hits of other segments") {
  const std::size_t dim = 16;
  const Vectors vectors = kData.at("clusters")(3000, dim);
  const Built built(vectors, dim, Metric::dot);
  const Queries queries(queries_for(vectors, dim, 5), dim, Metric::dot);
  std::vector<TopK> plain(5, TopK(10)), flat = plain;
  SearchCounts plain_counts, flat_counts;
  for (auto* best : {&plain, &flat})
    for (TopK& one : *best)
      for (std::uint64_t id = 10'000; id < 10'012; ++id) one.offer({id, id % 2 == 0 ? 1000.0F : 2.0F});
  PlainScan(built.segment(), Metric::dot).search(queries.view, {}, built.all(), plain, plain_counts);
  Flat(built.index.container, built.segment(), Metric::dot).search(queries.view, {}, built.all(), flat, flat_counts);
  CHECK(identical(ranking(flat), ranking(plain)));
}

TEST_CASE("the first pass leaves few rows, the same ones on any number of threads") {
  const std::size_t rows = 40'000, dim = 64, count = 20;
  const Vectors vectors = random_vectors(rows, dim, 1);
  const Built built(vectors, dim, Metric::cosine);
  const Queries queries(random_vectors(count, dim, 2), dim, Metric::cosine);
  const Flat flat(built.index.container, built.segment(), Metric::cosine);
  if (!has_code_kernel()) return;
  std::set<std::uint64_t> scored;
  Ranking first;
  for (const std::size_t threads : {1, 2, 3}) {
    const ThreadLimit limit(threads);
    std::vector<TopK> best(count, TopK(10));
    SearchCounts counts;
    flat.search(queries.view, {}, built.all(), best, counts);
    CHECK(counts.compared <= rows * count);
    CHECK(counts.compared > rows * count * 9 / 10);
    CHECK(counts.scored < rows * count / 20);
    scored.insert(counts.scored);
    const Ranking found = ranking(best);
    if (first.empty()) first = found;
    CHECK(identical(found, first));
  }
  CHECK(scored.size() == 1);
}

TEST_CASE("rows that are all the same are scored like a plain scan, no more") {
  const std::size_t rows = 40'000, dim = 16;
  const Vectors vectors(rows * dim, 0.5F);
  const Built built(vectors, dim, Metric::dot);
  const Queries queries(Vectors(2 * dim, 1.0F), dim, Metric::dot);
  check_search(built, queries, 10, built.all());
  std::vector<TopK> best(2, TopK(10));
  SearchCounts counts;
  BoundedQueries bounded(queries.view, Metric::dot);
  search_codes(built.panels(), built.segment(), Metric::dot, queries.view, bounded, built.all(), best, counts);
  CHECK(counts.compared < rows * 2 / 10);
  for (std::size_t i = 0; i < 10; ++i) CHECK(best[0].hits()[i].id < 10);
}

TEST_CASE("every instruction set passes the rows of the plain loops") {
  const auto seen = for_each_target([](const std::string& target) {
    for (const bool whole_numbers : {true, false}) {
      if (!whole_numbers && !has_fma(target)) continue;  // bounds of other last bits
      for (const std::size_t kinds : {3, 4}) {
        if (whole_numbers && kinds == 4) continue;
        for (const std::size_t dim : {16, 48, 128, 1280}) {
          for (const std::size_t count : {1, 2, 3, 5, 8, 9, 23}) {
            KernelCase c(count, dim, kinds, whole_numbers);
            std::vector<Passing> expected, found;
            reference::find_passing(c.panels, c.which, c.queries, expected);
            find_passing(c.panels, c.which, c.queries, found);
            CHECK(same(found, expected));
            if (count == 23) CHECK(!expected.empty());
          }
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

TEST_CASE("sections of codes that do not fit the vectors are a damaged file") {
  const std::size_t dim = 20;
  const Built built(random_vectors(1500, dim, 1), dim, Metric::l2);
  const std::string path = built.folder / "y.cbir";
  for (const SectionKind kind : {SectionKind::int8_codes, SectionKind::int8_factors}) {
    for (const std::ptrdiff_t bytes : {-4096, -128, 0, 128, 4096}) {
      rewrite(built.index, path, [&](const Section& section, Bytes content) {
        auto out = copied(content);
        if (section.kind == kind) out.resize(static_cast<std::size_t>(static_cast<std::ptrdiff_t>(out.size()) + bytes));
        return std::optional(out);
      });
      if (bytes == 0) CHECK(Index::open(path).size() == 1500);
      else CHECK_THROWS_AS(Index::open(path), DamagedFile);
    }
    rewrite(built.index, path, [&](const Section& section, Bytes content) {
      return section.kind == kind ? std::nullopt : std::optional(copied(content));
    });
    CHECK_THROWS_AS(Index::open(path), DamagedFile);
  }
}

TEST_CASE("an index without codes is scanned") {
  const std::size_t dim = 20;
  const Vectors vectors = random_vectors(1500, dim, 1);
  const Built built(vectors, dim, Metric::l2);
  const std::string path = built.folder / "y.cbir";
  rewrite(built.index, path, [&](const Section& section, Bytes content) {
    const bool of_codes = section.kind == SectionKind::int8_codes || section.kind == SectionKind::int8_factors;
    return of_codes ? std::nullopt : std::optional(copied(content));
  });
  const Index with = Index::open(built.folder / "x.cbir"), without = Index::open(path);
  SearchCounts counts;
  const MatrixView<const float> queries(vectors.data(), 30, dim);
  CHECK(identical(without.search(queries, 10, {}, counts), with.search(queries, 10)));
  CHECK(counts.compared == 0);
}

TEST_CASE("verification finds factors that bound too little, and codes of other vectors") {
  const std::size_t dim = 20, rows = 1500;
  for (const Metric metric : {Metric::dot, Metric::l2}) {
    const Built built(random_vectors(rows, dim, 1), dim, metric);
    CHECK_NOTHROW(Flat(built.index.container, built.segment(), metric).verify());
    const std::string path = built.folder / "y.cbir";
    const auto check_changed = [&](SectionKind kind, std::size_t at, std::byte value) {
      rewrite(built.index, path, [&](const Section& section, Bytes content) {
        auto out = copied(content);
        if (section.kind == kind) out[at] = value;
        return std::optional(out);
      });
      const OpenedIndex changed(Container::open(path, Check::all));
      const Flat flat(changed.container, changed.segments.front(), metric);
      CHECK_THROWS_AS(flat.verify(), DamagedFile);
    };
    check_changed(SectionKind::int8_codes, 4000, std::byte{0});
    check_changed(SectionKind::int8_codes, 4000, std::byte{255});
    const auto exponent_of = [](RowFactor kind) {
      return (static_cast<std::size_t>(kind) * kPanelRows + 5) * sizeof(float) + 3;
    };
    for (const RowFactor kind : {RowFactor::scale, RowFactor::residual, RowFactor::length})
      check_changed(SectionKind::int8_factors, exponent_of(kind), std::byte{0x20});
    if (metric == Metric::l2) check_changed(SectionKind::int8_factors, exponent_of(RowFactor::square), std::byte{0x7f});
  }
}
