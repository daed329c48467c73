#include "lib/index/build_structure.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <string>

#include <cbir/base/error.hpp>
#include <cbir/base/text.hpp>
#include <cbir/index/scan.hpp>

#include "lib/index/choose.hpp"
#include "lib/index/segment_writer.hpp"
#include "lib/index/structures.hpp"
#include "lib/index/tune.hpp"

namespace cbir {
namespace {

constexpr std::uint64_t kRowBytes = 48;           // ids, and what is kept of descriptions until they are all written
constexpr std::uint64_t kBufferBytes = 24 << 20;  // of blocks, and of the recall's sample besides its vectors
constexpr std::uint64_t kSampleVectors = 3 * 1024;
constexpr double kMillion = 1e6;

struct EffortName {
  const char* name;
  std::size_t SearchEffort::*field;
};
constexpr std::array kEfforts = {EffortName{"probe", &SearchEffort::probe},
                                 EffortName{"candidates", &SearchEffort::candidates},
                                 EffortName{"ef", &SearchEffort::ef}};

/// The parameter which says that the one of this name was given, and is to stay when the structure is made anew.
std::string given(const std::string& name) { return name + "_given"; }

std::uint64_t memory_of(IndexMeta meta, const StructureOptions& options, std::uint64_t rows) {
  const std::size_t stride = padded_dim(static_cast<std::size_t>(meta.dim));
  const auto builder = make_builder(meta, options, rows);
  return rows * kRowBytes + kBufferBytes + kSampleVectors * stride * sizeof(float) +
         (builder ? builder->memory(rows, stride) : 0);
}

Segment segment_of(const Container& written, const IndexMeta& meta, std::span<const std::uint64_t> ids) {
  Segment out;
  out.number = kFirstSegment;
  out.vectors = segment_vectors(written, kFirstSegment, static_cast<std::size_t>(meta.dim));
  out.ids = ids;
  return out;
}

/// The types that are let into the choice.
std::vector<std::string> affordable_types(const StructurePlan& plan, const IndexMeta& meta, std::uint64_t rows) {
  std::vector<std::string> out;
  for (const std::string_view type : kStructureTypes) {
    IndexMeta trial = meta;
    trial.type = type;
    try {
      if (const std::uint64_t needed = memory_of(trial, plan.options, rows); plan.memory == 0 || needed <= plan.memory)
        out.emplace_back(type);
    } catch (const UsageError&) {
      // Not for vectors like these: too many dimensions, say.
    }
  }
  return out;
}

}  // namespace

StructurePlan plan_of(const IndexMeta& meta) {
  StructurePlan plan;
  const auto take = [&](const char* name, auto& option) {
    const auto found = meta.parameters.find(name);
    if (found != meta.parameters.end()) option = found->second;
  };
  take("links", plan.options.links);
  take("ef_construction", plan.options.ef_construction);
  take("bits", plan.options.bits);
  take("seed", plan.options.seed);
  if (meta.parameters.contains(given("lists"))) take("lists", plan.options.lists);
  for (const EffortName& effort : kEfforts)
    if (meta.parameters.contains(given(effort.name))) take(effort.name, plan.effort.*effort.field);
  std::uint64_t target = 0;
  take("target_recall_ppm", target);
  if (target > 0) plan.target_recall = static_cast<double>(target) / kMillion;
  return plan;
}

void check_memory(const StructurePlan& plan, const IndexMeta& meta, std::uint64_t rows) {
  if (plan.memory == 0) return;
  IndexMeta least = meta;
  if (meta.type == "auto") least.type = "flat";
  const std::uint64_t needed = memory_of(least, plan.options, rows);
  if (needed > plan.memory)
    throw ResourceLimit(fmt::format("{} as {} takes {} of memory, but {} are allowed (--memory)", counted(rows, "row"),
                                    least.type, human_bytes(needed), human_bytes(plan.memory)));
}

BuiltStructure build_structure(ContainerWriter& writer, IndexMeta& meta, const StructurePlan& plan,
                               std::span<const std::uint64_t> ids, const std::string& path) {
  BuiltStructure out;
  if (meta.type == "auto") {
    const Container written = writer.written();
    const Choice choice = choose_type(segment_of(written, meta, ids), meta, affordable_types(plan, meta, ids.size()),
                                      plan.options, plan.target_recall, path);
    meta.type = choice.type;
    out.reason = choice.reason;
  }
  if (const auto builder = make_builder(meta, plan.options, ids.size())) {
    const Container written = writer.written();
    const MatrixView<const float> vectors = segment_of(written, meta, ids).vectors;
    builder->train(vectors, writer);
    builder->write_segment(kFirstSegment, vectors, writer);
  }
  if (meta.type != "flat") {
    const Container written = writer.written();
    const Segment segment = segment_of(written, meta, ids);
    const RecallSample sample(segment, meta.metric, plan.options.seed);
    const auto structure = open_structure(written, meta, segment);
    const Tuned tuned = tune(sample, *structure, meta.type, ids.size(), plan.effort, plan.target_recall);
    out.effort = tuned.effort;
    if (const auto lists = meta.parameters.find("lists"); lists != meta.parameters.end())
      out.effort.probe = std::min<std::size_t>(out.effort.probe, lists->second);
    out.recall = tuned.recall;
    for (const EffortName& effort : kEfforts) {
      if (out.effort.*effort.field > 0) meta.parameters[effort.name] = out.effort.*effort.field;
      if (plan.effort.*effort.field > 0) meta.parameters[given(effort.name)] = 1;
    }
    if (meta.parameters.contains("lists") && plan.options.lists > 0) meta.parameters[given("lists")] = 1;
    meta.parameters["target_recall_ppm"] = static_cast<std::uint64_t>(std::lround(plan.target_recall * kMillion));
  }
  write_meta(writer, meta);
  return out;
}

}  // namespace cbir
