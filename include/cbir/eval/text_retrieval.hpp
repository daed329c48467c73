#pragma once
/// Retrieval across texts and pictures, both ways, as papers on vision and language report it (Karpathy and Fei-Fei,
/// Deep Visual-Semantic Alignments for Generating Image Descriptions, 2015).

#include <optional>
#include <string>
#include <vector>

#include <cbir/eval/collection.hpp>
#include <cbir/eval/scores.hpp>

namespace cbir {

struct TextRetrieval {
  std::string texts, images;         ///< sets or indexes of one encoder
  std::optional<std::string> pairs;  ///< a TSV of a picture's path and its text; else equal labels make pairs
  std::optional<Metric> metric;      ///< instead of the sets' own
  bool allow_mismatch = false;       ///< compare vectors of different encoders
  std::vector<std::size_t> cutoffs = {1, 5, 10};
  DetailOptions details = {};
};

/// Two groups of queries: texts that look for pictures, with measures t2i_hit@k and t2i_rank, and pictures that look
/// for texts, with i2t_hit@k and i2t_rank. Ranks are those of the first relevant result; totals t2i_median_rank and
/// i2t_median_rank. Of several texts of a picture each is a query, and any of them is a right answer. Texts are known
/// by what they say: a text that stands in several rows, or in pairs of several pictures, is relevant to all of these.
/// Curves are those of texts that look for pictures. Throws MissingInput (no pairs), DamagedFile (a line of the TSV),
/// Incompatible, as Collection::open does.
Scores evaluate_text_retrieval(const TextRetrieval& plan, const EvaluationProgress& progress = {});

}  // namespace cbir
