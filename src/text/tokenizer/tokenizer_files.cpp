// Reads the files of a Hugging Face tokenizer and those beside it.
#include <algorithm>
#include <array>
#include <limits>

#include "base/error.h"
#include "base/files.h"
#include "base/log.h"
#include "text/tokenizer/definition.h"
#include "text/tokenizer/json_reader.h"

namespace aurum::text {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kMostTokenId = std::numeric_limits<TokenId>::max();

constexpr std::array<const char*, 7> kNamedTokens = {
    "bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"};

Json parse_object(const std::string& text, const std::string& where) {
  Json json;
  try {
    json = Json::parse(text);
  } catch (const nlohmann::json::exception& error) {
    throw FormatError(fmt::format("{}: not JSON: {}", where, error.what()));
  }
  if (!json.is_object()) throw FormatError(where + ": must be a JSON object");
  return json;
}

AddedToken* find_added(TokenizerDefinition& definition, const std::string& content) {
  for (AddedToken& token : definition.added_tokens) {
    if (token.content == content) return &token;
  }
  return nullptr;
}

// A named token is a string, an object with `content`, or null for none.
std::optional<std::string> token_content(const Json& value, const JsonPlace& place) {
  if (value.is_null()) return std::nullopt;
  if (value.is_string()) return value.get<std::string>();
  if (!value.is_object()) place.fail("must be a string, or an object with \"content\"");
  return json_string(value, "content", place);
}

void mark_special(const std::string& content, TokenizerDefinition& out) {
  if (content.empty()) return;
  if (AddedToken* token = find_added(out, content)) {
    token->special = true;
  } else {
    out.added_tokens.push_back({content, false, false, false, false, true});
  }
}

void lay_over_added_tokens(const Json& config, const JsonPlace& root, TokenizerDefinition& out) {
  const Json entries = config.value("added_tokens_decoder", Json());
  const JsonPlace list = root / "added_tokens_decoder";
  if (entries.is_null()) return;
  if (!entries.is_object()) list.fail("must be an object");
  std::vector<std::pair<long, AddedToken>> missing;
  for (const auto& [id, entry] : entries.items()) {
    const JsonPlace place = list / id;
    if (!entry.is_object()) place.fail("must be an object");
    const auto get = [&, &fields = entry](const char* key) {
      return json_value(fields, key, false, place);
    };
    const AddedToken token{json_string(entry, "content", place),
                           get("single_word"),
                           get("lstrip"),
                           get("rstrip"),
                           get("normalized"),
                           get("special")};
    if (AddedToken* present = find_added(out, token.content)) {
      *present = token;
    } else {
      missing.emplace_back(std::strtol(id.c_str(), nullptr, 10), token);
    }
  }
  std::stable_sort(missing.begin(), missing.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  for (auto& [id, token] : missing) out.added_tokens.push_back(std::move(token));
}

void read_named_tokens(const Json& config, const JsonPlace& root, TokenizerDefinition& out) {
  for (const char* name : kNamedTokens) {
    const auto content = token_content(config.value(name, Json()), root / name);
    if (!content) continue;
    out.special_by_name[name] = *content;
    mark_special(*content, out);
  }
  const Json extra = config.value("extra_special_tokens", Json());
  if (extra.is_object()) {
    for (const auto& [name, value] : extra.items()) {
      const auto content = token_content(value, root / "extra_special_tokens" / name);
      if (!content) continue;
      out.special_by_name[name] = *content;
      mark_special(*content, out);
    }
  }
  for (const char* key : {"additional_special_tokens", "extra_special_tokens"}) {
    const Json list = config.value(key, Json());
    if (!list.is_array()) continue;
    for (std::size_t i = 0; i < list.size(); ++i) {
      const auto content = token_content(list[i], root / key / std::to_string(i));
      if (content) mark_special(*content, out);
    }
  }
}

void read_config_templates(const Json& config, const JsonPlace& root, TokenizerDefinition& out) {
  const Json source = config.value("chat_template", Json());
  const JsonPlace place = root / "chat_template";
  if (source.is_null()) return;
  if (source.is_string()) {
    out.chat_templates["default"] = {source.get<std::string>(), place.path};
    return;
  }
  if (!source.is_array()) place.fail("must be a string, or a list of {name, template}");
  for (std::size_t i = 0; i < source.size(); ++i) {
    const JsonPlace item = place / std::to_string(i);
    if (!source[i].is_object()) item.fail("must be an object");
    out.chat_templates[json_string(source[i], "name", item)] = {
        json_string(source[i], "template", item), item.path};
  }
}

void read_tokenizer_config(const fs::path& path, TokenizerDefinition& out) {
  const auto text = read_file_if_present(path);
  if (!text) return;
  out.files.push_back(path);
  const Json config = parse_object(*text, path.string());
  const JsonPlace root{path.string() + ": "};
  lay_over_added_tokens(config, root, out);
  read_named_tokens(config, root, out);
  read_config_templates(config, root, out);
  const Json length = config.value("model_max_length", Json());
  // Hugging Face writes 1e30 for "no limit".
  if (length.is_number() && length.get<double>() > 0 && length.get<double>() < 1e15) {
    out.model_max_length = length.get<std::int64_t>();
  }
}

void read_special_tokens_map(const fs::path& path, TokenizerDefinition& out) {
  const auto text = read_file_if_present(path);
  if (!text) return;
  out.files.push_back(path);
  const Json map = parse_object(*text, path.string());
  if (out.special_by_name.empty()) read_named_tokens(map, {path.string() + ": "}, out);
}

void read_template_files(const fs::path& folder, TokenizerDefinition& out) {
  const fs::path main = folder / "chat_template.jinja";
  if (const auto text = read_file_if_present(main)) {
    out.chat_templates["default"] = {*text, main.string()};
    out.files.push_back(main);
  }
  for (const char* name : {"chat_templates", "additional_chat_templates"}) {
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(folder / name, error)) {
      if (entry.path().extension() != ".jinja") continue;
      out.chat_templates[entry.path().stem().string()] = {read_file(entry.path()),
                                                          entry.path().string()};
      out.files.push_back(entry.path());
    }
  }
}

void read_eos_ids(const fs::path& folder, TokenizerDefinition& out) {
  for (const char* name : {"generation_config.json", "config.json"}) {
    const auto text = read_file_if_present(folder / name);
    if (!text) continue;
    const std::string where = (folder / name).string();
    const Json eos = parse_object(*text, where).value("eos_token_id", Json());
    for (const Json& id : eos.is_array() ? eos : Json::array({eos})) {
      if (id.is_null() || (id.is_number_integer() && id < 0)) continue;  // -1: none
      const bool is_id = id.is_number_integer() && id <= kMostTokenId;
      if (!is_id) JsonPlace{where + ": /eos_token_id"}.fail(id.dump() + " is not a token id");
      out.end_of_turn.push_back(id.get<TokenId>());
    }
    if (!out.end_of_turn.empty()) return;
  }
}

}  // namespace

TokenizerDefinition read_tokenizer_files(const fs::path& path) {
  TokenizerDefinition result;
  const bool is_folder = fs::is_directory(path);
  const fs::path file = is_folder ? path / "tokenizer.json" : path;
  const fs::path folder = file.parent_path();
  if (is_folder && !fs::exists(file)) {
    throw IoError(fmt::format(
        "{}: there is no tokenizer.json; convert the tokenizer with transformers (AutoTokenizer "
        "... save_pretrained) first",
        path.string()));
  }
  result.source = file.string();
  result.files.push_back(file);
  read_tokenizer_json(file, read_file(file), result);
  read_tokenizer_config(folder / "tokenizer_config.json", result);
  read_special_tokens_map(folder / "special_tokens_map.json", result);
  read_template_files(folder, result);
  read_eos_ids(folder, result);
  return result;
}

std::shared_ptr<const Tokenizer> load_tokenizer(const fs::path& path) {
  return build_tokenizer(read_tokenizer_files(path));
}

std::shared_ptr<const Tokenizer> make_tokenizer(const GgufVocabulary& vocabulary) {
  return build_tokenizer(define_from_gguf(vocabulary));
}

}  // namespace aurum::text
