#pragma once
/// The options about processes that decode pictures, the same in every program that reads pictures.

#include <CLI/App.hpp>
#include <cstdint>
#include <memory>
#include <string>

#include <cbir/image/decoder_processes.hpp>

namespace cbir {

struct DecoderRequest {
  std::string isolate = "on";  ///< or "off": pictures are decoded in this process
  std::uint64_t timeout = 60;  ///< seconds that a picture may take
};

/// Adds --isolate and --decode-timeout, in a group of --help if one is named.
void add_decoder_flags(CLI::App& app, DecoderRequest& request, const char* group = nullptr);

/// Throws UsageError for a time limit that nothing keeps.
void validate_decoder_flags(const CLI::App& app, const DecoderRequest& request);

/// What is asked for, as make_decoders(); null: none. To be called before there are threads.
std::unique_ptr<DecoderProcesses> make_decoders(const DecoderRequest& request,
                                                DecoderProcesses::Finish finish = nullptr);

}  // namespace cbir
