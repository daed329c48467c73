// For the parity tests: texts into tokens.
//
//   tokens_tool VOCABULARY [CONTEXT]    reads texts, one a line, as hexadecimal UTF-8; prints the tokens of each on a
//                                       line, with CONTEXT as a row of that length and '+' behind it if it was cut

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <iostream>
#include <string>

#include <cbir/base/error.hpp>
#include <cbir/base/file.hpp>
#include <cbir/text/clip_tokenizer.hpp>

namespace {

std::string from_hex(const std::string& line) {
  std::string out;
  for (std::size_t i = 0; i + 1 < line.size(); i += 2)
    out += static_cast<char>(std::stoi(line.substr(i, 2), nullptr, 16));
  return out;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2 && argc != 3) return 2;
  try {
    const cbir::ClipTokenizer tokenizer(cbir::read_file(argv[1]), argv[1]);
    for (std::string line; std::getline(std::cin, line);) {
      if (argc == 2) {
        fmt::print("{}\n", fmt::join(tokenizer.encode(from_hex(line)), " "));
      } else {
        const cbir::ClipText text = tokenizer.tokenize(from_hex(line), std::stoul(argv[2]));
        fmt::print("{}{}\n", fmt::join(text.tokens, " "), text.truncated() ? " +" : "");
      }
    }
    return 0;
  } catch (const cbir::Error& error) {
    fmt::print(stderr, "{}\n", error.what());
    return static_cast<int>(error.code());
  }
}
