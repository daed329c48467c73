#pragma once
/// Scores as text. TSV: `name<TAB>value`, of a class or attack `name<TAB>class<TAB>value`; fractions with six decimals,
/// counts as integers. JSON: one object with the same names, numbers in full.

#include <string>
#include <vector>

#include <cbir/eval/copies.hpp>
#include <cbir/eval/labels.hpp>

namespace cbir {

std::string to_tsv(const LabelReport& report);
std::string to_json(const LabelReport& report);

std::string to_tsv(const CopyReport& report);
std::string to_json(const CopyReport& report);

/// What a reader of the scores must know, a sentence each: what was left out, and why. Empty if there is nothing to
/// say.
std::vector<std::string> remarks(const LabelReport& report);
std::vector<std::string> remarks(const CopyReport& report);

}  // namespace cbir
