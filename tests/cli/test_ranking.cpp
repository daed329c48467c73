#include <cbir/cli/ranking.hpp>

#include <functional>
#include <string>

#include <cbir/base/error.hpp>
#include <cbir/base/file.hpp>
#include <tests/catch.hpp>
#include <tests/temporary.hpp>

using namespace cbir;
using namespace std::string_literals;

namespace {

/// What a writer makes of some rankings.
std::string written(const std::function<std::unique_ptr<RankingWriter>(OutputFile&)>& make,
                    const std::vector<Ranking>& rankings) {
  const TemporaryFolder folder;
  OutputFile out(folder / "ranking", false);
  const auto writer = make(out);
  for (const Ranking& ranking : rankings) writer->write(ranking);
  writer->finish();
  out.commit();
  return read_text(folder / "ranking");
}

const std::vector<Ranking> kRankings = {
    {.query = "q 1.jpg",
     .picture = "q 1.jpg",
     .results = {{.id = 7, .score = 0.98765432F, .path = "a/b.jpg", .label = "a"},
                 {
                     .id = 9,
                     .score = -0.0000001F,
                     .path = "tab\tline\nback\\slash",
                 }}},
    {.query = "\xff.jpg", .results = {{.id = 1, .score = -2.5F, .path = "\xfe", .label = "ü"}}},
    {
        .query = "nothing found",
    },
};

}  // namespace

TEST_CASE("TSV: query, rank, score, path, escaped") {
  CHECK(written([](OutputFile& out) { return make_tsv_writer(out, false); }, kRankings) ==
        "q 1.jpg\t1\t0.987654\ta/b.jpg\n"
        "q 1.jpg\t2\t0.000000\ttab\\tline\\nback\\\\slash\n"
        "\\xff.jpg\t1\t-2.500000\t\\xfe\n");
}

TEST_CASE("TSV that ends records with NUL leaves the path raw") {
  CHECK(written([](OutputFile& out) { return make_tsv_writer(out, true); }, kRankings) ==
        "q 1.jpg\t1\t0.987654\ta/b.jpg\0"
        "q 1.jpg\t2\t0.000000\ttab\tline\nback\\slash\0"
        "\\xff.jpg\t1\t-2.500000\t\xfe\0"s);
}

TEST_CASE("JSON Lines: what is not UTF-8 is base64, a label that is not there is left out") {
  CHECK(written([](OutputFile& out) { return make_jsonl_writer(out); }, kRankings) ==
        R"({"query":"q 1.jpg","rank":1,"id":7,"score":0.987654,"path":"a/b.jpg","label":"a"})"
        "\n"
        R"({"query":"q 1.jpg","rank":2,"id":9,"score":0.000000,"path":"tab\tline\nback\\slash"})"
        "\n"
        R"({"query_b64":"/y5qcGc=","rank":1,"id":1,"score":-2.500000,"path_b64":"/g==","label":"ü"})"
        "\n");
}

TEST_CASE("JSON Lines: texts are told from paths") {
  const std::vector<Ranking> rankings = {
      {.query = "a red bus", .text = true, .results = {{.id = 1, .score = .5F, .path = "a.jpg"}}},
      {.query = "a.jpg + snow:0.5",
       .terms = {{.value = "a.jpg"}, {.value = "snow", .text = true, .weight = .5}},
       .results = {{.id = 2, .score = .25F, .path = "a caption", .text = true}}}};
  CHECK(written([](OutputFile& out) { return make_jsonl_writer(out); }, rankings) ==
        R"({"query":"a red bus","query_type":"text","rank":1,"id":1,"score":0.500000,"path":"a.jpg"})"
        "\n"
        R"({"query":"a.jpg + snow:0.5","query_type":"combined","rank":1,"id":2,"score":0.250000,"path":"a caption",)"
        R"("text":true})"
        "\n");
}

TEST_CASE("TREC: six columns whatever the names hold") {
  CHECK(written([](OutputFile& out) { return make_trec_writer(out, "run1"); }, kRankings) ==
        "q%201.jpg Q0 a/b.jpg 1 0.987654 run1\n"
        "q%201.jpg Q0 tab%09line%0Aback%5Cslash 2 0.000000 run1\n"
        "%FF.jpg Q0 %FE 1 -2.500000 run1\n");
}

TEST_CASE("a tag of TREC is one word") {
  const TemporaryFolder folder;
  OutputFile out(folder / "run", false);
  CHECK_THROWS_AS(make_trec_writer(out, ""), UsageError);
  CHECK_THROWS_AS(make_trec_writer(out, "two words"), UsageError);
}

TEST_CASE("formats have names") {
  CHECK(parse_ranking_format("tsv") == RankingFormat::tsv);
  CHECK(parse_ranking_format("html") == RankingFormat::html);
  CHECK_THROWS_AS(parse_ranking_format("csv"), UsageError);
}
