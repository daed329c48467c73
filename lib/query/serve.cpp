#include <cbir/query/serve.hpp>

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include <cbir/base/error.hpp>
#include <cbir/base/text.hpp>

#include "rank.hpp"

namespace cbir {
namespace {

using nlohmann::json;

constexpr const char* kKinds[] = {"image", "text", "row", "path", "vector"};

struct Request {
  std::string kind;
  json value;
  std::optional<std::size_t> k;
  std::optional<std::string> id;
};

Request parse_object(std::string_view line) {
  const json object = json::parse(line, nullptr, false);
  if (!object.is_object()) throw UsageError("the line begins as a JSON object does and is none");
  Request request;
  for (const auto& [key, value] : object.items()) {
    if (std::find(std::begin(kKinds), std::end(kKinds), key) != std::end(kKinds)) {
      if (!request.kind.empty())
        throw UsageError(fmt::format("both '{}' and '{}' were asked for; one was expected", request.kind, key));
      request.kind = key;
      request.value = value;
    } else if (key == "k") {
      if (!value.is_number_unsigned() || value.get<std::uint64_t>() == 0)
        throw UsageError("'k' is a whole number from 1");
      request.k = value.get<std::size_t>();
    } else if (key == "id") {
      if (!value.is_string()) throw UsageError("'id' is a string");
      request.id = value.get<std::string>();
    } else {
      throw UsageError(fmt::format("unknown key '{}'; image, text, row, path or vector, k and id are known", key));
    }
  }
  if (request.kind.empty()) throw UsageError("nothing to search for: image, text, row, path or vector was expected");
  const bool fits = request.kind == "row"      ? request.value.is_number_unsigned()
                    : request.kind == "vector" ? request.value.is_array()
                                               : request.value.is_string();
  if (!fits)
    throw UsageError(fmt::format("'{}' is {}", request.kind,
                                 request.kind == "row"      ? "the id of a row, a whole number"
                                 : request.kind == "vector" ? "a list of numbers"
                                                            : "a string"));
  return request;
}

Request parse_request(std::string_view line) {
  if (line.starts_with('{')) return parse_object(line);
  if (line.empty()) throw UsageError("the line is empty");
  Request request;
  request.kind = "image";
  request.value = std::string(line);
  return request;
}

std::vector<float> parse_vector(const json& value, const Index& index) {
  if (value.size() != index.dim())
    throw Incompatible(fmt::format("'vector' has {} numbers, the index {} dimensions", value.size(), index.dim()));
  std::vector<float> out;
  for (const json& number : value) {
    if (!number.is_number()) throw UsageError("'vector' holds something else than numbers");
    out.push_back(number.get<float>());
  }
  return out;
}

}  // namespace

Server::Server(const Index& index, OpenEncoder open_encoder, ServerOptions options)
    : index_(index), open_encoder_(std::move(open_encoder)), options_(std::move(options)) {}

const Encoder& Server::encoder() {
  if (!encoder_) encoder_ = open_encoder_();
  return *encoder_;
}

void Server::answer(std::string_view line, const RankingSink& sink) {
  const Request request = parse_request(line);
  QueryOptions query = options_.query;
  query.k = request.k.value_or(query.k);
  const RankingSink named = [&](const Ranking& ranking) {
    if (!request.id) return sink(ranking);
    Ranking renamed = ranking;
    renamed.query = *request.id;
    sink(renamed);
  };
  if (request.kind == "vector") {
    const std::vector<float> vector = parse_vector(request.value, index_);
    Ranker ranker(index_, query, named);
    std::vector<Asker> askers(1);
    askers[0].name = "vector";
    ranker.rank({vector.data(), 1, vector.size()}, askers);
  } else if (request.kind == "row" || request.kind == "path") {
    const std::uint64_t position = request.kind == "row"
                                       ? position_of_id(index_, request.value.get<std::uint64_t>())
                                       : position_of_path(index_, query.prefix.undo(request.value.get<std::string>()));
    query_rows(index_, {&position, 1}, query, named);
  } else if (request.kind == "text") {
    const std::string text = request.value.get<std::string>();
    if (const auto problem = text_problem(text)) throw UsageError("the text " + *problem);
    check_text_tower(encoder().preset());
    query_texts(index_, encoder(), {&text, 1}, options_.prompts, query, named);
  } else {
    ImageQueryOptions images = options_.images;
    images.required = false;
    query_images(index_, encoder(), {request.value.get<std::string>()}, images, query, named,
                 [](const FailedItem& item) {
                   throw MissingInput(fmt::format("{}: cannot be read: {}", display_path(item.path), item.reason));
                 });
  }
}

}  // namespace cbir
