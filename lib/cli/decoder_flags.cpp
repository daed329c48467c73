#include <cbir/cli/decoder_flags.hpp>

#include <cbir/base/error.hpp>
#include <cbir/cli/program.hpp>

namespace cbir {

void add_decoder_flags(CLI::App& app, DecoderRequest& request, const char* group) {
  CLI::Option* const isolate =
      app.add_option("--isolate", request.isolate, "Decode in processes of their own, which may crash or hang")
          ->check(CLI::IsMember({"on", "off"}))
          ->capture_default_str();
  CLI::Option* const timeout =
      app.add_option("--decode-timeout", request.timeout, "Give up on a picture after so many seconds of decoding")
          ->check(whole_number(1, 86'400))
          ->type_name("N")
          ->capture_default_str();
  if (!group) return;
  isolate->group(group);
  timeout->group(group);
}

void validate_decoder_flags(const CLI::App& app, const DecoderRequest& request) {
  if (request.isolate == "off" && app.count("--decode-timeout") > 0)
    throw UsageError("--decode-timeout is about --isolate on: only a process of its own can be given up");
}

std::unique_ptr<DecoderProcesses> make_decoders(const DecoderRequest& request, DecoderProcesses::Finish finish) {
  if (request.isolate == "off") return nullptr;
  return make_decoders(std::chrono::seconds(request.timeout), finish);
}

}  // namespace cbir
