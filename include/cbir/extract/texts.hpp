#pragma once
/// Texts on their way into a network: the same for the rows of a set and for queries.

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <cbir/base/matrix.hpp>
#include <cbir/encoder/encoder.hpp>
#include <cbir/extract/listing.hpp>

namespace cbir {

/// What a text is put into before it is encoded: "a photo of a {}". "{{" and "}}" are braces, as in Python's format.
class PromptTemplate {
 public:
  /// Throws UsageError unless there is exactly one "{}" and every other brace is doubled.
  explicit PromptTemplate(std::string_view text);

  std::string apply(std::string_view text) const { return before_ + std::string(text) + after_; }

 private:
  std::string before_, after_;
};

/// Templates that each text is put into; none: texts are taken as they stand.
using TextPrompts = std::vector<PromptTemplate>;

/// What keeps a text from being encoded: "is empty", "is not UTF-8: ...". Nothing if it is sound.
std::optional<std::string> text_problem(std::string_view text);

/// The texts of a file ("-": standard input): its lines, less a CR at their end and a byte order mark; or, with
/// `separator` '\0', what NULs end. Each is a ListedFile whose path is the text; a `problem` begins with the number of
/// the line. Throws MissingInput if there is none.
Listing read_texts(const std::string& path, char separator);

/// The same, where one bad text spoils the whole. Throws Incompatible, naming its line.
std::vector<std::string> read_sound_texts(const std::string& path, char separator);

/// Encodes texts into the rows of `out`. With prompts each text is put into every one of them, and the row is the
/// average of the vectors, of length 1 if the encoder's are, as in CLIP's zero-shot classifiers (Radford et al. 2021,
/// section 3.1.4). Returns how long each text is, in the template in which it is longest. Throws as
/// Encoder::encode_text(), and Incompatible if the vectors of a text cancel each other out.
std::vector<TextLength> embed_texts(const Encoder& encoder, std::span<const std::string> texts,
                                    const TextPrompts& prompts, MatrixView<float> out);

/// What is to be said of a text that was cut.
std::string truncation_message(std::string_view text, const TextLength& length);

}  // namespace cbir
