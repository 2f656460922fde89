#include "base/error.h"
#include "cli/command.h"
#include "cli/model_files.h"
#include "cli/token_fields.h"

namespace aurum::cli {
namespace {

using Json = nlohmann::ordered_json;

struct Options {
  std::string tokenizer;
  std::string revision = "main";
  bool decode = false;
  bool spans = false;
  JsonLinesOptions lines;
};

template <typename T>
T field(const Json& request, const char* key, const char* wanted) {
  const auto it = request.is_object() ? request.find(key) : request.end();
  if (!request.is_object() || it == request.end()) {
    throw InputError(fmt::format("\"{}\" is missing; it must be {}", key, wanted));
  }
  try {
    return it->template get<T>();
  } catch (const nlohmann::json::exception&) {
    throw InputError(fmt::format("\"{}\" must be {}, not {}", key, wanted, it->type_name()));
  }
}

bool flag(const Json& request, const char* key) {
  return request.contains(key) && field<bool>(request, key, "true or false");
}

Json answer_encode(const text::Tokenizer& tokenizer, const Json& request) {
  const auto input = field<std::string>(request, "text", "a string");
  const text::Encoding encoding = flag(request, "add_special_tokens")
                                      ? encode_with_special_tokens(tokenizer, input)
                                      : tokenizer.encode(input, false);
  Json pieces = Json::array();
  for (const text::TokenId id : encoding.ids) pieces.push_back(tokenizer.piece(id));
  return {{"ids", encoding.ids}, {"spans", spans_json(encoding.spans)}, {"pieces", pieces}};
}

Json answer_decode(const text::Tokenizer& tokenizer, const Json& request) {
  const auto ids = ids_field(request, "ids");
  return {{"text", tokenizer.decode(ids, flag(request, "skip_special_tokens"))}};
}

Json answer_spans(const text::Tokenizer& tokenizer, const Json& request) {
  const auto ids = ids_field(request, "ids");
  const text::DecodedSpans decoded = tokenizer.spans_of_ids(ids);
  return {{"text", decoded.text}, {"spans", spans_json(decoded.spans)}};
}

void run(const Options& options) {
  const auto tokenizer = open_tokenizer(options.tokenizer, options.revision);
  answer_json_lines(options.lines, [&](const Json& request) -> Json {
    if (options.decode) return answer_decode(*tokenizer, request);
    if (options.spans) return answer_spans(*tokenizer, request);
    return answer_encode(*tokenizer, request);
  });
}

}  // namespace

void add_tokenize_command(CLI::App& app) {
  auto options = std::make_shared<Options>();
  CLI::App* command =
      app.add_subcommand("tokenize", "Turn text into token ids with byte spans, and back");
  command
      ->add_option("--tokenizer", options->tokenizer,
                   "Model folder, tokenizer.json, .gguf file or hub id")
      ->required();
  command->add_option("--revision", options->revision, "Revision of a hub id");
  CLI::Option* decode = command->add_flag(
      "--decode", options->decode, "Read {\"ids\", \"skip_special_tokens\"}, write {\"text\"}");
  command
      ->add_flag("--spans", options->spans,
                 "Read sampled {\"ids\"}, write the text they stand for and the bytes of each")
      ->excludes(decode);
  add_json_lines_options(*command, options->lines);
  command->footer(
      "Example:\n  echo '{\"text\": \"Hello world\"}' | aurum tokenize --tokenizer models/student");
  command->callback([options] { run(*options); });
}

}  // namespace aurum::cli
