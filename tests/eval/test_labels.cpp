#include <cbir/eval/labels.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>

#include <cbir/base/error.hpp>
#include <cbir/base/parallel.hpp>
#include <tests/catch.hpp>

namespace {

using Labels = std::vector<std::optional<std::string>>;

/// Hands out the rows of a matrix of scores, `grain` at a time, from several threads.
cbir::ScoreSource source(const std::vector<float>& scores, std::size_t queries, std::size_t grain = 3) {
  return [&scores, queries, grain](const auto& consume) {
    const std::size_t rows = scores.size() / queries;
    cbir::parallel_blocks(queries, grain, [&](std::size_t begin, std::size_t end) {
      consume(begin, cbir::MatrixView<const float>(scores.data() + begin * rows, end - begin, rows));
    });
  };
}

cbir::LabelReport evaluate(const Labels& database, const Labels& queries, const std::vector<float>& scores,
                           const cbir::LabelEvaluation& options = {}) {
  return cbir::evaluate_labels(database, queries, false, source(scores, queries.size()), options);
}

}  // namespace

TEST_CASE("Average precision of one query, worked by hand") {
  // Ranking: cat dog cat dog cat. Precision where a cat stands: 1/1, 2/3, 3/5.
  const auto report = evaluate({"cat", "dog", "cat", "dog", "cat"}, {"cat"}, {.9F, .8F, .7F, .6F, .5F}, {{1, 2, 10}});
  CHECK(report.all.map == Approx((1.0 + 2.0 / 3 + 3.0 / 5) / 3));
  CHECK(report.all.mrr == 1);
  CHECK(report.all.r_precision == Approx(2.0 / 3));  // two of the first three
  CHECK(report.all.precision[1] == 0.5);
  CHECK(report.all.recall[1] == Approx(1.0 / 3));
  CHECK(report.all.hit[1] == 1);
  CHECK(report.all.precision[2] == Approx(0.3));  // three of ten, although only five are there
  CHECK(report.all.recall[2] == 1);
  CHECK(report.all.queries == 1);
}

TEST_CASE("Of equal scores the earlier row ranks first") {
  CHECK(evaluate({"dog", "cat"}, {"cat"}, {.5F, .5F}).all.mrr == 0.5);
  CHECK(evaluate({"cat", "dog"}, {"cat"}, {.5F, .5F}).all.mrr == 1);
}

TEST_CASE("Leave-one-out: a row is no answer to itself") {
  const Labels labels{"a", "a", "b", "b"};
  const std::vector<float> scores{1.0F, 0.8F, 0.2F, 0.1F,   // a finds a first
                                  0.8F, 1.0F, 0.9F, 0.3F,   // a finds b, then a
                                  0.2F, 0.9F, 1.0F, 0.4F,   // b finds a, then b
                                  0.1F, 0.3F, 0.4F, 1.0F};  // b finds b first
  const auto report = cbir::evaluate_labels(labels, labels, true, source(scores, 4), {{1, 2}, true});
  CHECK(report.all.map == Approx(0.75));
  CHECK(report.all.precision[0] == 0.5);
  CHECK(report.all.hit[1] == 1);
  REQUIRE(report.per_class.size() == 2);
  CHECK(report.per_class[0].first == "a");
  CHECK(report.per_class[0].second.map == Approx(0.75));
  CHECK(report.per_class[0].second.queries == 2);
}

TEST_CASE("What does not count is counted") {
  const Labels labels{"pair", "alone", std::nullopt, "pair", std::nullopt};
  const std::vector<float> scores(25, 0.5F);
  const auto report = cbir::evaluate_labels(labels, labels, true, source(scores, 5), {});
  CHECK(report.all.queries == 2);
  CHECK(report.skipped_unlabelled == 2);
  CHECK(report.skipped_alone == 1);
  CHECK(report.classes == 2);
  CHECK(report.single_classes == 1);
  CHECK(report.database == 5);
  CHECK(report.database_unlabelled == 2);
}

TEST_CASE("Unlabelled rows stay in the ranking as wrong answers") {
  CHECK(evaluate({std::nullopt, "cat"}, {"cat"}, {.9F, .5F}).all.mrr == 0.5);
}

TEST_CASE("A query whose label the database lacks does not count") {
  const auto report = evaluate({"cat"}, {"cat", "bird"}, {.9F, .9F});
  CHECK(report.all.queries == 1);
  CHECK(report.skipped_alone == 1);
  CHECK(report.classes == 1);
}

TEST_CASE("Classes come in natural order") {
  const Labels labels{"c10", "c9", "c10", "c9"};
  const auto report = evaluate(labels, labels, std::vector<float>(16, 0), {{1}, true});
  REQUIRE(report.per_class.size() == 2);
  CHECK(report.per_class[0].first == "c9");
}

TEST_CASE("Nothing to evaluate is an error, and so are scores that are not finite") {
  CHECK_THROWS_AS(evaluate({std::nullopt, "a"}, {std::nullopt, "b"}, {1, 2, 3, 4}), cbir::MissingInput);
  CHECK_THROWS_AS(evaluate({"a", "b"}, {"a"}, {1, std::numeric_limits<float>::quiet_NaN()}), cbir::DamagedFile);
  CHECK_THROWS_AS(evaluate({"a", "b"}, {"a"}, {1, std::numeric_limits<float>::infinity()}), cbir::DamagedFile);
  CHECK_THROWS_AS(evaluate({"a", "b"}, {"a"}, {1, 2}, {{1, 0}}), cbir::UsageError);
}

namespace {

/// A set with every awkwardness: ties, unlabelled rows, classes of one.
struct RandomSet {
  Labels labels;
  std::vector<float> scores;

  explicit RandomSet(std::size_t rows, int levels) {
    std::mt19937 random(11);
    for (std::size_t i = 0; i < rows; ++i) {
      const int label = std::uniform_int_distribution(-1, 20)(random);
      labels.push_back(
          label < 0 ? std::nullopt
                    : std::optional(i == 5 ? std::string("single") : std::string(1, static_cast<char>('a' + label))));
    }
    for (std::size_t i = 0; i < rows * rows; ++i)
      scores.push_back(static_cast<float>(std::uniform_int_distribution(0, levels)(random)));
  }
};

/// The definitions, word for word: average precision of query `q` by sorting.
double plain_average_precision(const RandomSet& set, std::size_t q) {
  const std::size_t rows = set.labels.size();
  std::vector<std::size_t> order;
  for (std::size_t i = 0; i < rows; ++i)
    if (i != q) order.push_back(i);
  std::stable_sort(order.begin(), order.end(),
                   [&](auto a, auto b) { return set.scores[q * rows + a] > set.scores[q * rows + b]; });
  double sum = 0, relevant = 0;
  for (std::size_t i = 0; i < order.size(); ++i)
    if (set.labels[order[i]] == set.labels[q]) sum += ++relevant / static_cast<double>(i + 1);
  return relevant > 0 ? sum / relevant : -1;
}

}  // namespace

TEST_CASE("Means agree with the definitions on random sets") {
  const int levels = GENERATE(0, 2, 50, 1'000'000);
  const RandomSet set(300, levels);
  const auto report = cbir::evaluate_labels(set.labels, set.labels, true, source(set.scores, 300), {{1, 10}, true});
  double sum = 0, count = 0;
  for (std::size_t q = 0; q < 300; ++q) {
    const double ap = set.labels[q] ? plain_average_precision(set, q) : -1;
    if (ap < 0) continue;
    sum += ap;
    ++count;
  }
  CHECK(static_cast<double>(report.all.queries) == count);
  CHECK(report.all.map == Approx(sum / count).epsilon(1e-12));
  double by_class = 0;
  for (const auto& [name, scores] : report.per_class) by_class += scores.map * static_cast<double>(scores.queries);
  CHECK(by_class / count == Approx(report.all.map).epsilon(1e-12));
}

TEST_CASE("The result is the same to the bit for any number of threads and size of block") {
  const RandomSet set(300, 100);
  const auto run = [&](std::size_t threads, std::size_t grain) {
    const cbir::ThreadLimit limit(threads);
    return cbir::evaluate_labels(set.labels, set.labels, true, source(set.scores, 300, grain), {{10}, false}).all;
  };
  const auto one = run(1, 300), two = run(2, 7), four = run(4, 1);
  CHECK(one.map == two.map);
  CHECK(one.map == four.map);
  CHECK(one.precision == four.precision);
  CHECK(one.recall == four.recall);
}
