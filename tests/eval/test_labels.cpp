#include <cbir/eval/labels.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
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

cbir::Scores evaluate(const Labels& database, const Labels& queries, const std::vector<float>& scores,
                      const cbir::LabelEvaluation& options = {}) {
  return cbir::evaluate_labels({database}, {queries}, false, source(scores, queries.size()), options);
}

cbir::Scores leave_one_out(const Labels& labels, const std::vector<float>& scores,
                           const cbir::LabelEvaluation& options = {}, std::size_t grain = 3) {
  return cbir::evaluate_labels({labels}, {labels}, true, source(scores, labels.size(), grain), options);
}

double mean(const cbir::Scores& scores, const char* measure) {
  return cbir::means(scores)[scores.measure(measure)].value;
}

std::uint64_t count(const cbir::Scores& scores, const std::string& name) {
  for (const cbir::Count& each : scores.counts)
    if (each.name == name) return each.value;
  FAIL("no count is named " << name);
  return 0;
}

}  // namespace

TEST_CASE("Measures of one query, worked by hand") {
  // Ranking: cat dog cat dog cat. Precision where a cat stands: 1/1, 2/3, 3/5.
  const auto scores = evaluate({"cat", "dog", "cat", "dog", "cat"}, {"cat"}, {.9F, .8F, .7F, .6F, .5F}, {{1, 2, 10}});
  CHECK(mean(scores, "map") == Approx((1.0 + 2.0 / 3 + 3.0 / 5) / 3));
  CHECK(mean(scores, "mrr") == 1);
  CHECK(mean(scores, "r_precision") == Approx(2.0 / 3));            // two of the first three
  CHECK(mean(scores, "map@r") == Approx((1.0 + 2.0 / 3 + 0) / 3));  // the last cat is not among the first three
  CHECK(mean(scores, "p@2") == 0.5);
  CHECK(mean(scores, "r@2") == Approx(1.0 / 3));
  CHECK(mean(scores, "hit@2") == 1);
  CHECK(mean(scores, "ndcg@2") == Approx(1 / (1 + 1 / std::log2(3))));  // a cat, where there could be two
  CHECK(mean(scores, "p@10") == Approx(0.3));                           // three of ten, although only five are there
  CHECK(mean(scores, "r@10") == 1);
  CHECK(mean(scores, "ndcg@10") == Approx((1 + 1 / std::log2(4) + 1 / std::log2(6)) / (1 + 1 / std::log2(3) + 0.5)));
  REQUIRE(scores.queries.size() == 1);
  CHECK(scores.queries[0].group == "cat");
  CHECK(scores.queries[0].relevant == 3);
}

TEST_CASE("Of equal scores the earlier row ranks first") {
  CHECK(mean(evaluate({"dog", "cat"}, {"cat"}, {.5F, .5F}), "mrr") == 0.5);
  CHECK(mean(evaluate({"cat", "dog"}, {"cat"}, {.5F, .5F}), "mrr") == 1);
}

TEST_CASE("Leave-one-out: a row is no answer to itself") {
  const Labels labels{"a", "a", "b", "b"};
  const std::vector<float> matrix{1.0F, 0.8F, 0.2F, 0.1F,   // a finds a first
                                  0.8F, 1.0F, 0.9F, 0.3F,   // a finds b, then a
                                  0.2F, 0.9F, 1.0F, 0.4F,   // b finds a, then b
                                  0.1F, 0.3F, 0.4F, 1.0F};  // b finds b first
  const auto scores = leave_one_out(labels, matrix, {{1, 2}});
  CHECK(mean(scores, "map") == Approx(0.75));
  CHECK(mean(scores, "p@1") == 0.5);
  CHECK(mean(scores, "hit@2") == 1);
  const auto classes = cbir::group_means(scores);
  REQUIRE(classes.size() == 2);
  CHECK(classes[0].first == "a");
  CHECK(classes[0].second[0].value == Approx(0.75));
  CHECK(classes[0].second[0].queries == 2);
}

TEST_CASE("What does not count is counted, and said") {
  const Labels labels{"pair", "alone", std::nullopt, "pair", std::nullopt};
  const auto scores = leave_one_out(labels, std::vector<float>(25, 0.5F));
  CHECK(scores.queries.size() == 2);
  CHECK(count(scores, "queries_unlabelled") == 2);
  CHECK(count(scores, "queries_alone") == 1);
  CHECK(count(scores, "classes") == 2);
  CHECK(count(scores, "rows") == 5);
  CHECK(count(scores, "rows_unlabelled") == 2);
  REQUIRE(scores.remarks.size() == 3);
  CHECK(scores.remarks[0] == "2 queries without a label are left out of the means");
}

TEST_CASE("Unlabelled rows stay in the ranking as wrong answers") {
  CHECK(mean(evaluate({std::nullopt, "cat"}, {"cat"}, {.9F, .5F}), "mrr") == 0.5);
}

TEST_CASE("A query whose label the database lacks does not count") {
  const auto scores = evaluate({"cat"}, {"cat", "bird"}, {.9F, .9F});
  CHECK(scores.queries.size() == 1);
  CHECK(count(scores, "queries_alone") == 1);
  CHECK(count(scores, "classes") == 1);
}

TEST_CASE("Nothing to evaluate is an error, and so are scores that are not finite") {
  CHECK_THROWS_AS(evaluate({std::nullopt, "a"}, {std::nullopt, "b"}, {1, 2, 3, 4}), cbir::MissingInput);
  CHECK_THROWS_AS(evaluate({"a", "b"}, {"a"}, {1, std::numeric_limits<float>::quiet_NaN()}), cbir::DamagedFile);
  CHECK_THROWS_AS(evaluate({"a", "b"}, {"a"}, {1, std::numeric_limits<float>::infinity()}), cbir::DamagedFile);
  CHECK_THROWS_AS(evaluate({"a", "b"}, {"a"}, {1, 2}, {{1, 0}}), cbir::UsageError);
  CHECK_THROWS_AS(evaluate({"a", "b"}, {"a"}, {1, 2}, {{1, 5, 1}}), cbir::UsageError);
}

TEST_CASE("Details: the head of each ranking with marks, and what it missed") {
  const cbir::LabelledRows database{{"cat", "dog", "cat", std::nullopt, "cat", "cat"}, {"a", "b", "c", "d", "e", "f"}};
  const cbir::LabelledRows queries{{"cat"}, {"q"}};
  const std::vector<float> matrix{.9F, .8F, .2F, .4F, .7F, .1F};  // a b e d c f
  const auto scores =
      cbir::evaluate_labels(database, queries, false, source(matrix, 1), {.details = {.top = 2, .missed = 2}});
  REQUIRE(scores.queries.size() == 1);
  const cbir::QueryScores& query = scores.queries[0];
  CHECK(query.query == "q");
  REQUIRE(query.top.size() == 2);
  CHECK(scores.items[query.top[0].item] == "a");
  CHECK(query.top[0].mark == cbir::Mark::relevant);
  CHECK(query.top[0].score == Approx(.9));
  CHECK(scores.items[query.top[1].item] == "b");
  CHECK(query.top[1].rank == 2);
  CHECK(query.top[1].mark == cbir::Mark::irrelevant);
  REQUIRE(query.missed.size() == 2);  // f, the third, is one too many
  CHECK(scores.items[query.missed[0].item] == "e");
  CHECK(query.missed[0].rank == 3);
  CHECK(scores.items[query.missed[1].item] == "c");
  CHECK(query.missed[1].rank == 5);
  CHECK(scores.items.size() == 4);  // the others stand in no list
  CHECK_FALSE(scores.distribution);
}

TEST_CASE("Curves: precision at levels of recall, and how scores lie, the query itself in neither") {
  const Labels labels{"a", "a", "b", "b"};
  const std::vector<float> matrix{9, 3, 1, 1,   // right first
                                  3, 9, 3, 1,   // right first: it stands before its equal
                                  1, 3, 9, 2,   // right second
                                  1, 1, 2, 9};  // right first
  const auto scores = leave_one_out(labels, matrix, {.details = {.curves = true}});
  REQUIRE(scores.precision_at.size() == 101);
  CHECK(scores.precision_at[0] == Approx((1 + 1 + .5 + 1) / 4));
  CHECK(scores.precision_at[100] == scores.precision_at[0]);  // one relevant item each
  REQUIRE(scores.distribution);
  const cbir::ScoreDistribution& all = *scores.distribution;
  CHECK(all.low == 1);
  CHECK(all.high == Approx(3).epsilon(.02));
  CHECK(std::accumulate(all.relevant.begin(), all.relevant.end(), 0UL) == 4);
  CHECK(std::accumulate(all.irrelevant.begin(), all.irrelevant.end(), 0UL) == 8);
  CHECK(all.relevant.front() == 0);
  CHECK(all.irrelevant.front() == 6);
  CHECK(all.relevant.back() == 2);
  CHECK(all.irrelevant.back() == 2);
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
  const auto scores = leave_one_out(set.labels, set.scores, {{1, 10}});
  double sum = 0, count = 0;
  for (std::size_t q = 0; q < 300; ++q) {
    const double ap = set.labels[q] ? plain_average_precision(set, q) : -1;
    if (ap < 0) continue;
    sum += ap;
    ++count;
  }
  CHECK(static_cast<double>(scores.queries.size()) == count);
  CHECK(mean(scores, "map") == Approx(sum / count).epsilon(1e-12));
}

TEST_CASE("The result is the same to the bit for any number of threads and size of block") {
  const RandomSet set(300, 100);
  const auto run = [&](std::size_t threads, std::size_t grain) {
    const cbir::ThreadLimit limit(threads);
    return cbir::to_json_lines(
        leave_one_out(set.labels, set.scores, {{10}, {.top = 5, .missed = 3, .curves = true}}, grain));
  };
  const std::string one = run(1, 300);
  CHECK(run(2, 7) == one);
  CHECK(run(4, 1) == one);
}
