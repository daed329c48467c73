// Seconds to build an index.
//
//   bench_build SET X.cbir --type hnsw [--metric cosine] [--links 16] [--ef-construction 200] [--bits 256]
//               [--threads 2] [--target AVX2]
//
// --target restricts the instruction sets to one and those below.

#include <fmt/format.h>
#include <hwy/targets.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <string>

#include <cbir/base/parallel.hpp>
#include <cbir/index/index.hpp>

int main(int argc, char** argv) {
  std::string set, output, target, metric = "cosine";
  std::size_t threads = 0;
  cbir::BuildOptions options{.metric_given = true, .force = true};
  CLI::App app("seconds to build an index");
  app.add_option("set", set)->required();
  app.add_option("index", output)->required();
  app.add_option("--type", options.type);
  app.add_option("--metric", metric);
  app.add_option("--links", options.structure.links);
  app.add_option("--ef-construction", options.structure.ef_construction);
  app.add_option("--bits", options.structure.bits);
  app.add_option("--threads", threads);
  app.add_option("--target", target);
  CLI11_PARSE(app, argc, argv);
  for (std::int64_t bit = 1; !target.empty() && bit < (std::int64_t{1} << 62); bit *= 2)
    if (target == hwy::TargetName(bit)) hwy::DisableTargets(bit - 1);

  const cbir::ThreadLimit limit(threads);
  options.metric = cbir::parse_metric(metric);
  const auto start = std::chrono::steady_clock::now();
  const cbir::BuildReport report = cbir::build_index({set}, output, options);
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  fmt::print("{}: {} rows, {:.1f} MB, {:.1f} s, {} threads\n", options.type, report.rows,
             static_cast<double>(report.bytes) / 1e6, seconds, limit.threads());
}
