#include <cbir/cli/encoder_flags.hpp>

#include <cbir/cli/program.hpp>

namespace cbir {

std::vector<std::string> add_encoder_flags(CLI::App& app, EncoderRequest& flags, const std::string& group,
                                           const std::string& model) {
  CLI::Option* name = app.add_option("--model", flags.model, model)->type_name("NAME|FILE")->group(group);
  if (!flags.model.empty()) name->capture_default_str();
  app.add_option("--weights", flags.weights, "Weights, instead of those that cbir-models fetched")
      ->type_name("FILE")
      ->group(group);
  app.add_option("--pool", flags.changes.pool, "Pool the last layer's positions by avg, gem, max or rmac")
      ->check(CLI::IsMember({"avg", "gem", "max", "rmac"}))
      ->type_name("HOW")
      ->group(group);
  app.add_option("--scales", flags.changes.scales,
                 "Show the network each picture at these scales, as 1,0.707,0.5, and average")
      ->delimiter(',')
      ->type_name("S,...")
      ->allow_extra_args(false)
      ->group(group);
  app.add_flag("--flip", flags.changes.flip, "Show it each picture mirrored, too, and average")->group(group);
  app.add_option("--resize", flags.changes.resize, "Resize to this many pixels instead of the preset's")
      ->check(whole_number(1, 4096))
      ->type_name("N")
      ->group(group);
  app.add_option("--crop", flags.changes.crop,
                 "center: a square from the middle; none: the whole picture, of any shape; pad: the whole, on a square")
      ->check(CLI::IsMember({"center", "none", "pad"}))
      ->type_name("HOW")
      ->group(group);
  app.add_option("--precision", flags.options.precision,
                 "Arithmetic of the network: float32; bfloat16, where processor or GPU have it; auto: that if they do")
      ->check(CLI::IsMember({"auto", "float32", "bfloat16"}))
      ->type_name("TYPE")
      ->capture_default_str()
      ->group(group);
  app.add_option("--device", flags.options.device, "Where the network runs: cpu; cuda; auto: cuda if there is one")
      ->check(CLI::IsMember({"auto", "cpu", "cuda"}))
      ->type_name("WHERE")
      ->capture_default_str()
      ->group(group);
  return {"--model", "--weights", "--pool", "--scales", "--flip", "--resize", "--crop", "--precision", "--device"};
}

}  // namespace cbir
