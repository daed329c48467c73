#pragma once
/// Indexes with a structure, in clustered data, and how well they find what there is.

#include <algorithm>
#include <cmath>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include <cbir/base/error.hpp>
#include <cbir/base/file.hpp>
#include <cbir/base/parallel.hpp>
#include <lib/index/opened.hpp>
#include <lib/index/structures.hpp>
#include <tests/index/index_fixture.hpp>

namespace fixture {

/// Vectors about some centres; `spread` of their lengths (0: all alike), all shifted by `shift`.
inline std::vector<float> clustered(std::size_t rows, std::size_t dim, unsigned seed, float spread = 0,
                                    float shift = 0) {
  const std::vector<float> centres = random_vectors(64, dim, 99);
  std::mt19937 generator(seed);
  const auto uniform = [&] { return static_cast<float>(generator() % 20001) / 10000.0F - 1; };
  std::vector<float> out;
  for (std::size_t row = 0; row < rows; ++row) {
    const std::size_t centre = generator() % 64;
    const float length = std::exp(spread * uniform());
    for (std::size_t i = 0; i < dim; ++i)
      out.push_back(length * (centres[centre * dim + i] + 0.6F * uniform()) + shift);
  }
  return out;
}

/// What is aimed at, so that 100 queries, which show recall to .02, cannot miss .95 by chance.
inline constexpr double kTarget = .98;

inline std::string build_type(const TemporaryFolder& folder, const std::string& type, std::span<const float> values,
                              std::size_t dim, cbir::Metric metric, cbir::StructureOptions structure = {}) {
  write_npy(folder / "x.npy", values, dim);
  cbir::build_index({folder / "x.npy"}, folder / (type + ".cbir"),
                    {.type = type,
                     .metric = metric,
                     .metric_given = true,
                     .structure = structure,
                     .target_recall = kTarget,
                     .force = true});
  return folder / (type + ".cbir");
}

using Results = std::vector<std::vector<cbir::Hit>>;

inline bool same(const Results& a, const Results& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const auto& left, const auto& right) {
    return std::equal(left.begin(), left.end(), right.begin(), right.end(),
                      [](const cbir::Hit& x, const cbir::Hit& y) { return x.id == y.id && x.score == y.score; });
  });
}

/// The part of the hits that were expected.
inline double recall(const Results& found, const Results& expected) {
  std::size_t hits = 0, all = 0;
  for (std::size_t q = 0; q < expected.size(); ++q) {
    all += expected[q].size();
    for (const cbir::Hit& hit : expected[q])
      hits += static_cast<std::size_t>(std::count_if(found[q].begin(), found[q].end(), [&](const cbir::Hit& other) {
        return other.id == hit.id && other.score == hit.score;
      }));
  }
  return static_cast<double>(hits) / static_cast<double>(all);
}

inline Results search(const cbir::Index& index, const std::vector<float>& queries, std::size_t k,
                      const cbir::SearchEffort& effort = {}) {
  cbir::SearchCounts counts;
  const std::size_t dim = index.dim();
  return index.search({queries.data(), queries.size() / dim, dim}, k, effort, counts);
}

/// The structure of an index's one segment, by itself.
struct OneStructure {
  explicit OneStructure(const std::string& path)
      : opened(cbir::Container::open(path, cbir::Check::opening)),
        structure(cbir::open_structure(opened.container, opened.meta, opened.segments.front())) {}

  /// For rows of the segment as queries; under cosine they are normalised already.
  Results search(std::size_t queries, std::size_t k, const cbir::RowMask& mask,
                 const cbir::SearchEffort& effort = {}) const {
    std::vector<cbir::TopK> best(queries, cbir::TopK(k));
    cbir::SearchCounts counts;
    const cbir::MatrixView<const float> vectors = opened.segments.front().vectors;
    structure->search({vectors.data, queries, vectors.cols, vectors.stride}, effort, mask, best, counts);
    Results out;
    for (cbir::TopK& one : best) out.push_back(one.take());
    return out;
  }

  cbir::OpenedIndex opened;
  std::unique_ptr<cbir::Structure> structure;
};

/// A mask of every step-th row of so many, and the hits of exact search that it lets pass.
struct EveryNth {
  EveryNth(std::size_t rows, std::size_t step) : words((rows + 63) / 64) {
    for (std::size_t row = 0; row < rows; row += step, ++passing) words[row / 64] |= std::uint64_t{1} << (row % 64);
  }
  cbir::RowMask mask() const { return {words, passing}; }
  std::vector<std::uint64_t> words;
  std::size_t passing = 0;
};

/// Writes an index's bytes with one section's content changed; checksums are those of the changed content.
template <typename Change>
std::string with_changed(const std::string& from, const std::string& to, cbir::SectionKind kind, const Change& change) {
  const cbir::Container container = cbir::Container::open(from, cbir::Check::opening);
  cbir::ContainerWriter writer(to, true);
  for (const cbir::Section& section : container.sections()) {
    if (section.kind == cbir::SectionKind::table) continue;
    const cbir::Bytes content = container.content(section);
    std::vector<std::byte> bytes(content.begin(), content.end());
    if (section.kind == kind) change(bytes);
    writer.begin(section.segment, section.kind, section.type);
    writer.write(bytes);
    writer.end();
  }
  writer.finish(container.root().next_id);
  return to;
}

}  // namespace fixture
