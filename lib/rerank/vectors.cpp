#include <cbir/rerank/vectors.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <new>

#include <cbir/base/error.hpp>
#include <cbir/base/parallel.hpp>
#include <cbir/base/text.hpp>
#include <cbir/index/scan.hpp>
#include <cbir/index/vectors.hpp>
#include <cbir/store/set.hpp>

namespace cbir {
namespace {

constexpr std::size_t kReadRows = 256;  // read and prepared at a time
constexpr std::size_t kAlignment = 64;

void prepare(Vectors& vectors, std::size_t i, const std::function<std::string()>& path) {
  const VectorState state = prepare_vector(vectors.row(i), true);
  if (state != VectorState::fine) refuse_vector(vectors.origin.name, i, path(), state);
}

Vectors load_index(const std::string& name) {
  const Index index = Index::open(name);
  demand_cosine(name, to_string(index.info().metric), "this");
  if (index.size() == 0) throw MissingInput(fmt::format("{}: has no rows", display_path(name)));
  Vectors vectors(index.size(), index.dim());
  vectors.origin = {name, index.info().encoder, index.info().fingerprint, index.info().augmentation};
  parallel_blocks(vectors.rows(), kReadRows, [&](std::size_t begin, std::size_t end) {
    for (std::size_t i = begin; i < end; ++i) {
      std::ranges::copy(index.vector(i), vectors.row(i).begin());
      prepare(vectors, i, [&] { return index.row(i).path; });
    }
  });
  return vectors;
}

Vectors load_set(const std::string& name) {
  const EmbeddingSet set = EmbeddingSet::open(name);
  if (set.rows() == 0) throw MissingInput(fmt::format("{}: has no rows", display_path(name)));
  Vectors vectors(set.rows(), set.dim());
  vectors.origin.name = name;
  if (set.manifest()) {
    demand_cosine(name, set.manifest()->metric, "this");
    vectors.origin = {name, set.manifest()->encoder, set.manifest()->fingerprint, set.manifest()->augmentation};
  }
  parallel_blocks(vectors.rows(), kReadRows, [&](std::size_t begin, std::size_t end) {
    set.matrix().read(begin, end - begin, vectors.row(begin).data(), padded_dim(set.dim()));
    for (std::size_t i = begin; i < end; ++i) prepare(vectors, i, [&] { return set.row(i).path; });
  });
  return vectors;
}

}  // namespace

void Vectors::Free::operator()(float* memory) const { std::free(memory); }

Vectors::Vectors(std::size_t rows, std::size_t dim) : rows_(rows), dim_(dim), stride_(padded_dim(dim)) {
  const std::size_t bytes = std::max<std::size_t>(rows * stride_ * sizeof(float), kAlignment);
  data_.reset(static_cast<float*>(std::aligned_alloc(kAlignment, bytes)));
  if (!data_) throw std::bad_alloc();
  std::fill_n(data_.get(), rows * stride_, 0.0F);
}

Vectors Vectors::copy() const {
  Vectors out(rows_, dim_);
  out.origin = origin;
  std::copy_n(data_.get(), rows_ * stride_, out.data_.get());
  return out;
}

Vectors Vectors::load(const std::string& name) { return name.ends_with(".cbir") ? load_index(name) : load_set(name); }

std::vector<std::string> files_of_vectors(const std::string& name) {
  if (name.ends_with(".cbir")) return {name};
  const SetPaths paths = set_paths(name);
  return {paths.npy, paths.rows, paths.manifest, paths.failed};
}

void demand_cosine(const std::string& name, std::string_view metric, std::string_view what) {
  if (metric == "cosine") return;
  throw Incompatible(
      fmt::format("{}: vectors that are compared by {}; {} is for those that are compared by cosine: build an index "
                  "with --metric cosine, if their length does not matter",
                  display_path(name), metric, what));
}

}  // namespace cbir
