#include <cbir/eval/trec.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include <cbir/base/text.hpp>

namespace cbir {

std::string to_trec_run(const Scores& scores) {
  std::string text;
  for (const QueryScores& query : scores.queries) {
    const std::string topic = percent_encode(query.query);
    std::uint64_t rank = 0;
    float last = std::numeric_limits<float>::infinity();
    for (const JudgedItem& item : query.top) {
      if (item.mark == Mark::junk) continue;
      last = std::min(static_cast<float>(item.score), std::nextafter(last, -std::numeric_limits<float>::infinity()));
      text += fmt::format("{} Q0 {} {} {} cbir\n", topic, percent_encode(scores.items[item.item]), ++rank, last);
    }
  }
  return text;
}

std::string to_trec_qrels(const Scores& scores) {
  std::string text;
  for (const QueryScores& query : scores.queries) {
    const std::string topic = percent_encode(query.query);
    for (const auto* list : {&query.top, &query.missed})
      for (const JudgedItem& item : *list)
        if (item.mark == Mark::relevant)
          text += fmt::format("{} 0 {} 1\n", topic, percent_encode(scores.items[item.item]));
  }
  return text;
}

}  // namespace cbir
