#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <optional>

#include <cbir/base/error.hpp>
#include <cbir/base/hash.hpp>
#include <cbir/base/text.hpp>
#include <cbir/index/index.hpp>
#include <cbir/rerank/augment.hpp>
#include <cbir/store/set_writer.hpp>

namespace cbir {
namespace {

/// Of the vectors that were averaged: rows are comparable with rows of the same ones alone.
std::string digest_of(const Vectors& vectors) {
  Xxh3Hasher hasher;
  for (std::size_t i = 0; i < vectors.rows(); ++i) hasher.update(std::as_bytes(vectors.row(i)));
  return hex(hasher.digest());
}

std::string said(const AugmentReport& report, const AugmentOptions& options, const std::string& source) {
  nlohmann::ordered_json json;
  json["neighbours"] = report.neighbours;
  json["alpha"] = options.alpha;
  json["iterations"] = report.iterations;
  json["source"] = source;
  return json.dump();
}

/// Where the rows come from, for all that is not their vectors.
struct Source {
  std::optional<Index> index;
  std::optional<EmbeddingSet> set;
  Manifest manifest = {};

  explicit Source(const std::string& name) {
    if (name.ends_with(".cbir")) {
      index = Index::open(name);
      const IndexInfo& info = index->info();
      manifest.encoder = info.encoder;
      manifest.fingerprint = info.fingerprint;
      manifest.preset = info.preset;
    } else {
      set = EmbeddingSet::open(name, false);
      if (set->manifest()) manifest = *set->manifest();
    }
    manifest.metric = "cosine";
    manifest.normalization = "l2";
  }

  std::string line(std::size_t i) const { return index ? to_json_line(index->row(i)) : set->row_line(i); }
};

}  // namespace

AugmentReport augment_set(const std::string& name, const std::string& output, bool force, const AugmentOptions& options,
                          const RowProgress& progress) {
  Vectors vectors = Vectors::load(name);
  if (!vectors.origin.augmentation.empty())
    throw Incompatible(
        fmt::format("{}: its rows are augmented already; augment what they were made of, with more "
                    "--iterations if that is what is wanted",
                    display_path(name)));
  Source source(name);
  SetWriter writer(output, vectors.rows(), vectors.dim(), force, files_of_vectors(name));
  const std::string digest = digest_of(vectors);
  const AugmentReport report = augment(vectors, options, progress);
  for (std::size_t i = 0; i < vectors.rows(); ++i) {
    writer.add_vectors({vectors.row(i).data(), 1, vectors.dim()});
    writer.add_line(source.line(i));
  }
  if (report.left_alone == LeftAlone::no) source.manifest.augmentation = said(report, options, digest);
  writer.commit(source.manifest);
  return report;
}

}  // namespace cbir
