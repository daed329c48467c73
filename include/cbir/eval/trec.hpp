#pragma once
/// What was found, for trec_eval, ir-measures and others who read TREC's formats.

#include <string>

#include <cbir/eval/scores.hpp>

namespace cbir {

/// A run, `topic Q0 item rank score tag`, of the first of each ranking (DetailOptions::top) without junk, names
/// percent-encoded. Others order by score in single precision, whatever the rank: where scores are equal, the lower
/// ranks have the next lower number, so that they see our order.
std::string to_trec_run(const Scores& scores);

/// Qrels, `topic 0 item 1`, of all relevant items, if scores were made with no bound to DetailOptions::missed.
std::string to_trec_qrels(const Scores& scores);

}  // namespace cbir
