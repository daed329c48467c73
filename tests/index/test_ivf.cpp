#include <lib/index/ivf.hpp>

#include <algorithm>
#include <cstring>
#include <functional>
#include <numeric>

#include <cbir/base/error.hpp>
#include <cbir/base/parallel.hpp>
#include <cbir/base/random.hpp>
#include <cbir/index/scan.hpp>
#include <lib/index/plain_scan.hpp>
#include <tests/catch.hpp>
#include <tests/index/index_fixture.hpp>
#include <tests/index/targets.hpp>

using namespace cbir;

namespace {

/// Rows around `centres` places, as embeddings lie; with a part that all have in common.
std::vector<float> clustered(std::size_t rows, std::size_t dim, unsigned seed, std::size_t centres = 50) {
  const std::vector<float> places = fixture::random_vectors(centres + 1, dim, 1);
  std::vector<float> out = fixture::random_vectors(rows, dim, seed);
  SplitMix64 random(seed);
  for (std::size_t r = 0; r < rows; ++r) {
    const std::size_t centre = random.below(centres);
    for (std::size_t d = 0; d < dim; ++d)
      out[r * dim + d] = 0.6F * out[r * dim + d] + places[centre * dim + d] + places[centres * dim + d];
  }
  return out;
}

struct Options {
  Metric metric = Metric::cosine;
  StructureOptions structure = {};
  double target_recall = .95;
};

std::string build(const TemporaryFolder& folder, const std::vector<float>& values, std::size_t dim,
                  const Options& options = {}, const std::string& name = "x") {
  fixture::write_npy(folder / (name + ".npy"), values, dim);
  build_index({folder / (name + ".npy")}, folder / (name + ".cbir"),
              {.type = "ivf",
               .metric = options.metric,
               .metric_given = true,
               .structure = options.structure,
               .target_recall = options.target_recall,
               .force = true});
  return folder / (name + ".cbir");
}

std::vector<std::vector<Hit>> search(const Index& index, const std::vector<float>& queries,
                                     const SearchEffort& effort = {}) {
  SearchCounts counts;
  return index.search({queries.data(), queries.size() / index.dim(), index.dim()}, 10, effort, counts);
}

bool same(const std::vector<std::vector<Hit>>& a, const std::vector<std::vector<Hit>>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const auto& x, const auto& y) {
    return std::equal(x.begin(), x.end(), y.begin(), y.end(),
                      [](const Hit& h, const Hit& g) { return h.id == g.id && h.score == g.score; });
  });
}

double recall(const std::vector<std::vector<Hit>>& found, const std::vector<std::vector<Hit>>& exact) {
  std::size_t right = 0, all = 0;
  for (std::size_t q = 0; q < found.size(); ++q) {
    for (const Hit& hit : exact[q])
      right += std::any_of(found[q].begin(), found[q].end(), [&](const Hit& other) { return other.id == hit.id; });
    all += exact[q].size();
  }
  return static_cast<double>(right) / static_cast<double>(all);
}

/// An ivf index as its parts, so that structures can be asked with masks.
struct Opened {
  explicit Opened(const std::string& path)
      : container(Container::open(path, Check::all)),
        meta(parse_meta(as_text(container.content(0, SectionKind::meta, ElementType::byte)), path)),
        segment(read_segments(container, meta.dim).front()),
        structure(container, meta, segment) {}

  template <typename Searched>
  std::vector<std::vector<Hit>> search(const Searched& searched, const std::vector<float>& queries,
                                       const RowMask& mask) const {
    std::vector<TopK> best(queries.size() / meta.dim, TopK(10));
    SearchCounts counts;
    searched.search({queries.data(), best.size(), meta.dim}, {}, mask, best, counts);
    std::vector<std::vector<Hit>> out;
    for (TopK& of_query : best) out.push_back(of_query.take());
    return out;
  }

  Container container;
  IndexMeta meta;
  Segment segment;
  IvfStructure structure;
};

/// Sections in memory, for a container of hostile ones.
std::vector<std::byte> bytes_of(const std::string& path) {
  const MappedFile file(path);
  return {file.bytes().begin(), file.bytes().end()};
}

/// Rewrites an index with one section changed, checksums and all.
std::string with_changed(const TemporaryFolder& folder, const std::string& path, std::uint32_t segment,
                         SectionKind kind, const std::function<void(std::vector<std::byte>&)>& change) {
  const Container container = Container::open(path, Check::all);
  const std::string out = folder / "changed.cbir";
  ContainerWriter writer(out, true);
  for (const Section& section : container.sections()) {
    if (section.kind == SectionKind::table || section.kind == SectionKind::unused) continue;
    const Bytes content = container.content(section);
    std::vector<std::byte> bytes(content.begin(), content.end());
    if (section.segment == segment && section.kind == kind) change(bytes);
    writer.begin(section.segment, section.kind, section.type);
    writer.write(bytes);
    writer.end();
  }
  writer.finish(container.root().next_id);
  return out;
}

template <typename T>
std::function<void(std::vector<std::byte>&)> set(std::size_t i, T value) {
  return [=](std::vector<std::byte>& bytes) { std::memcpy(bytes.data() + i * sizeof(T), &value, sizeof(T)); };
}

}  // namespace

TEST_CASE("an ivf index finds nearly all without being told how far to look, under every metric") {
  const TemporaryFolder folder;
  const std::vector<float> rows = clustered(6000, 40, 2), queries = clustered(100, 40, 3);
  for (const Metric metric : {Metric::cosine, Metric::dot, Metric::l2}) {
    const Index index = Index::open(build(folder, rows, 40, {.metric = metric, .structure = {}, .target_recall = .98}));
    CHECK(index.info().type == "ivf");
    const auto exact = search(index, queries, {.exact = true}), found = search(index, queries);
    INFO(to_string(metric));
    CHECK(recall(found, exact) >= 0.95);
    for (std::size_t q = 0; q < found.size(); ++q)  // and what is found has its exact score
      for (const Hit& hit : found[q])
        for (const Hit& other : exact[q])
          if (other.id == hit.id) CHECK(hit.score == other.score);
    CHECK(same(search(index, queries, {.probe = 1U << 20, .candidates = 6000}), exact));
  }
}

TEST_CASE("a common part of all rows, far larger than what tells them apart, costs no recall") {
  const TemporaryFolder folder;
  std::vector<float> rows = clustered(4000, 32, 4), queries = clustered(50, 32, 5);
  for (float& x : rows) x += 40;
  for (float& x : queries) x += 40;
  const Index index = Index::open(build(folder, rows, 32, {.metric = Metric::l2}));
  CHECK(recall(search(index, queries), search(index, queries, {.exact = true})) >= 0.95);
}

TEST_CASE("what is found depends neither on threads nor on which queries come together") {
  const TemporaryFolder folder;
  const std::vector<float> queries = clustered(70, 24, 7);
  const Index index = Index::open(build(folder, clustered(5000, 24, 6), 24));
  const SearchEffort effort{.probe = 5, .candidates = 20};
  const auto together = search(index, queries, effort);
  for (const std::size_t threads : {1, 2, 5}) {
    const ThreadLimit limit(threads);
    CHECK(same(search(index, queries, effort), together));
    std::vector<std::vector<Hit>> alone;
    for (std::size_t q = 0; q < 70; ++q)
      alone.push_back(search(index,
                             {queries.begin() + static_cast<std::ptrdiff_t>(q * 24),
                              queries.begin() + static_cast<std::ptrdiff_t>(q * 24 + 24)},
                             effort)
                          .front());
    CHECK(same(alone, together));
  }
}

TEST_CASE("the first look at centroids, which begins to pay after some queries, changes nothing") {
  const TemporaryFolder folder;
  const std::vector<float> queries = clustered(100, 24, 7);
  for (const Metric metric : {Metric::cosine, Metric::dot, Metric::l2}) {
    const Index index = Index::open(build(folder, clustered(20000, 24, 6), 24, {.metric = metric}));
    const SearchEffort effort{.probe = 3, .candidates = 20};
    std::vector<std::vector<Hit>> first;
    for (std::size_t q = 0; q < 30; ++q)
      first.push_back(search(index,
                             {queries.begin() + static_cast<std::ptrdiff_t>(q * 24),
                              queries.begin() + static_cast<std::ptrdiff_t>(q * 24 + 24)},
                             effort)
                          .front());
    const auto later = search(index, queries, effort);
    CHECK(same(first, {later.begin(), later.begin() + 30}));
    CHECK(same(search(index, queries, effort), later));
  }
}

TEST_CASE("every instruction set with fused multiply-add finds the same") {
  const TemporaryFolder folder;
  const std::vector<float> queries = clustered(30, 100, 9);
  const Index index = Index::open(build(folder, clustered(3000, 100, 8), 100));
  const auto expected = search(index, queries, {.probe = 6, .candidates = 30});
  fixture::for_each_target(pq4_target, [&](const std::string& target) {
    if (!target.starts_with("SSE")) CHECK(same(search(index, queries, {.probe = 6, .candidates = 30}), expected));
  });
}

TEST_CASE("the same rows give the same bytes, with any number of threads") {
  const TemporaryFolder folder;
  const std::vector<float> rows = clustered(3000, 20, 10);
  const auto built = [&](std::size_t threads) {
    const ThreadLimit limit(threads);
    return bytes_of(build(folder, rows, 20));
  };
  const auto once = built(1);
  CHECK(once == built(1));
  CHECK(once == built(4));
  CHECK(bytes_of(build(folder, rows, 20, {.structure = {.seed = 2}})) != once);
}

TEST_CASE("rows that may not be returned take no candidate's place") {
  const TemporaryFolder folder;
  const std::size_t size = 20000;
  const std::vector<float> rows = clustered(size, 32, 11), queries = clustered(60, 32, 12);
  const Opened index(build(folder, rows, 32, {.metric = Metric::dot}));
  const PlainScan plain(index.segment, Metric::dot);
  const double unfiltered = recall(index.search(index.structure, queries, {.words = {}, .passing = size}),
                                   index.search(plain, queries, {.words = {}, .passing = size}));
  for (const std::size_t every : {2, 5, 20, 100, 10000}) {
    std::vector<std::uint64_t> words((size + 63) / 64);
    RowMask mask{.words = words, .passing = 0};
    SplitMix64 random(every);
    for (std::size_t r = 0; r < size; ++r)
      if (random.below(every) == 0) {
        words[r / 64] |= std::uint64_t{1} << (r % 64);
        ++mask.passing;
      }
    const auto found = index.search(index.structure, queries, mask), exact = index.search(plain, queries, mask);
    INFO("one row of " << every);
    CHECK(recall(found, exact) >= std::min(unfiltered, 0.98) - 0.005);
    for (const auto& hits : found)
      for (const Hit& hit : hits) CHECK(mask[hit.id]);
  }
  std::vector<std::uint64_t> nothing((size + 63) / 64);
  for (const auto& hits : index.search(index.structure, queries, {.words = nothing, .passing = 0})) CHECK(hits.empty());
}

TEST_CASE("any number of rows and any dimension can be indexed and searched") {
  const TemporaryFolder folder;
  for (const std::size_t rows : {1, 2, 15, 17, 33, 300}) {
    for (const std::size_t dim : {1, 3, 17, 600}) {
      const std::vector<float> values = fixture::random_vectors(rows, dim, 13);
      for (const Metric metric : {Metric::dot, Metric::l2}) {
        const Index index = Index::open(build(folder, values, dim, {.metric = metric, .structure = {.lists = 7}}));
        const auto all = search(index, values, {.probe = 100, .candidates = 300});
        CHECK(same(all, search(index, values, {.exact = true})));
      }
    }
  }
  const std::vector<float> longest = fixture::random_vectors(40, 4096, 14);
  const Index index = Index::open(build(folder, longest, 4096));
  CHECK(same(search(index, longest, {.probe = 40, .candidates = 40}), search(index, longest, {.exact = true})));
}

TEST_CASE("rows that are all the same, zeros and huge ones are indexed and found") {
  const TemporaryFolder folder;
  std::vector<float> values(2000 * 8, 3.0F);
  const std::vector<float> queries = fixture::random_vectors(5, 8, 15);
  for (const float scale : {1.0F, 0.0F, 1e17F}) {
    for (float& x : values) x = 3.0F * scale;
    for (const Metric metric : {Metric::dot, Metric::l2}) {
      const Index index =
          Index::open(build(folder, values, 8, {.metric = metric, .structure = {}, .target_recall = .95}));
      CHECK(same(search(index, queries, {.probe = 1000}), search(index, queries, {.exact = true})));
    }
  }
  // Lengths from 1e-15 to 1e15 in one index.
  values = fixture::random_vectors(2000, 8, 16);
  for (std::size_t i = 0; i < values.size(); ++i)
    values[i] *= static_cast<float>(std::pow(10.0, static_cast<double>(i / 8 % 31) - 15));
  for (const Metric metric : {Metric::cosine, Metric::dot, Metric::l2}) {
    const Index index =
        Index::open(build(folder, values, 8, {.metric = metric, .structure = {}, .target_recall = .95}));
    for (const auto& hits : search(index, queries)) CHECK(hits.size() == 10);
  }
}

TEST_CASE("a further segment is coded by what the first was trained on, and takes less room than its vectors") {
  const TemporaryFolder folder;
  const std::vector<float> rows = clustered(8000, 64, 17), more = clustered(300, 64, 18),
                           queries = clustered(40, 64, 19);
  const std::string path = build(folder, rows, 64, {.metric = Metric::dot, .structure = {.lists = 200}});
  const Opened first(path);
  const std::string out = folder / "more.cbir";
  {
    ContainerWriter writer(out, true);
    for (const SectionKind kind : {SectionKind::centroids, SectionKind::codebooks, SectionKind::list_factors}) {
      writer.begin(0, kind, ElementType::float32);
      writer.write(first.container.content(0, kind, ElementType::float32));
      writer.end();
    }
    IvfBuilder builder(read_ivf_model(first.container, first.meta));
    builder.write_segment(2, {more.data(), 300, 64}, writer);
    writer.finish(300);
  }
  const Container container = Container::open(out, Check::all);
  std::uint64_t bytes = 0;
  for (const Section& section : container.sections())
    if (section.segment == 2) bytes += container::padded(section.bytes);
  CHECK(bytes < 300 * 64 * sizeof(float));

  Segment segment = first.segment;
  segment.number = 2;
  segment.first_position = 8000;
  segment.vectors = {more.data(), 300, 64};
  segment.ids = segment.ids.first(300);
  const IvfStructure second(container, first.meta, segment);
  second.verify();
  std::vector<TopK> both(40, TopK(10)), exact(40, TopK(10));
  SearchCounts counts;
  const MatrixView<const float> asked(queries.data(), 40, 64);
  for (const Structure* structure :
       {static_cast<const Structure*>(&first.structure), static_cast<const Structure*>(&second)})
    structure->search(asked, {}, {.words = {}, .passing = structure == &second ? 300U : 8000U}, both, counts);
  PlainScan(first.segment, Metric::dot).search(asked, {}, {.words = {}, .passing = 8000}, exact, counts);
  PlainScan(segment, Metric::dot).search(asked, {}, {.words = {}, .passing = 300}, exact, counts);
  std::vector<std::vector<Hit>> found, wanted;
  for (std::size_t q = 0; q < 40; ++q) {
    found.push_back(both[q].take());
    wanted.push_back(exact[q].take());
  }
  CHECK(recall(found, wanted) >= 0.95);
}

TEST_CASE("lists that could make a search read elsewhere are refused, and any numbers are not") {
  const TemporaryFolder folder;
  const std::string path = build(folder, clustered(1000, 20, 20), 20, {.structure = {.lists = 20}});
  const auto refused = [&](std::uint32_t segment, SectionKind kind, const auto& change) {
    CHECK_THROWS_AS(Index::open(with_changed(folder, path, segment, kind, change)), DamagedFile);
  };
  const auto shorter = [](std::vector<std::byte>& bytes) { bytes.resize(bytes.size() - 4); };
  const auto longer = [](std::vector<std::byte>& bytes) { bytes.resize(bytes.size() + 4); };
  for (const auto& [segment, kind] : {std::pair{0U, SectionKind::centroids},
                                      {0U, SectionKind::codebooks},
                                      {0U, SectionKind::list_factors},
                                      {1U, SectionKind::list_offsets},
                                      {1U, SectionKind::list_rows},
                                      {1U, SectionKind::list_codes}}) {
    INFO(to_string(kind));
    refused(segment, kind, shorter);
    refused(segment, kind, longer);
  }
  refused(1, SectionKind::list_offsets, set<std::uint32_t>(0, 1));
  refused(1, SectionKind::list_offsets, set<std::uint32_t>(20, 999));
  refused(1, SectionKind::list_offsets, set<std::uint32_t>(5, 2000));
  refused(1, SectionKind::list_rows, set<std::uint32_t>(500, 1000));
  refused(0, SectionKind::meta, [](std::vector<std::byte>& bytes) {
    std::string text(as_text(bytes));
    text.replace(text.find("\"code_dims\":2"), 13, "\"code_dims\":3");
    std::memcpy(bytes.data(), text.data(), bytes.size());
  });

  const std::vector<float> queries = clustered(20, 20, 21);
  for (const float number : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(), -1e38F}) {
    for (const SectionKind kind : {SectionKind::centroids, SectionKind::codebooks, SectionKind::list_factors}) {
      const Index index = Index::open(with_changed(folder, path, 0, kind, [&](std::vector<std::byte>& bytes) {
        for (std::size_t i = 0; i < bytes.size() / sizeof number; ++i) set(i, number)(bytes);
      }));
      for (const auto& hits : search(index, queries)) CHECK(hits.size() <= 10);
    }
  }
  const Index index =
      Index::open(with_changed(folder, path, 1, SectionKind::list_codes, [](std::vector<std::byte>& bytes) {
        std::fill(bytes.begin(), bytes.end(), std::byte{0xff});
      }));
  for (const auto& hits : search(index, queries)) CHECK(hits.size() == 10);
}

TEST_CASE("verifying finds a row that is in two lists") {
  const TemporaryFolder folder;
  const std::string path = build(folder, clustered(1000, 20, 22), 20);
  Opened(path).structure.verify();
  const auto repeat = [](std::vector<std::byte>& bytes) { std::memcpy(bytes.data() + 4, bytes.data(), 4); };
  CHECK_THROWS_AS(Opened(with_changed(folder, path, 1, SectionKind::list_rows, repeat)).structure.verify(),
                  DamagedFile);
}
