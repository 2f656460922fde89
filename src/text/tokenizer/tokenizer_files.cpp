// Reads the files of a Hugging Face tokenizer and those beside it.
#include <algorithm>
#include <array>

#include "base/error.h"
#include "base/files.h"
#include "base/log.h"
#include "text/tokenizer/definition.h"

namespace aurum::text {
namespace {

namespace fs = std::filesystem;

constexpr std::array<const char*, 7> kNamedTokens = {
    "bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"};

Json parse_json(const std::string& text, const std::string& where) {
  try {
    return Json::parse(text);
  } catch (const nlohmann::json::exception& error) {
    throw FormatError(fmt::format("{}: not JSON: {}", where, error.what()));
  }
}

AddedToken* find_added(TokenizerDefinition& definition, const std::string& content) {
  for (AddedToken& token : definition.added_tokens) {
    if (token.content == content) return &token;
  }
  return nullptr;
}

// A named token is a string or an object with `content`.
std::optional<std::string> token_content(const Json& value) {
  if (value.is_string()) return value.get<std::string>();
  if (value.is_object() && value.contains("content") && value["content"].is_string()) {
    return value["content"].get<std::string>();
  }
  return std::nullopt;
}

void mark_special(const std::string& content, TokenizerDefinition& out) {
  if (content.empty()) return;
  if (AddedToken* token = find_added(out, content)) {
    token->special = true;
  } else {
    out.added_tokens.push_back({content, false, false, false, false, true});
  }
}

void lay_over_added_tokens(const Json& config, TokenizerDefinition& out) {
  const Json entries = config.value("added_tokens_decoder", Json());
  if (!entries.is_object()) return;
  std::vector<std::pair<long, AddedToken>> missing;
  for (const auto& [id, entry] : entries.items()) {
    const auto content = token_content(entry);
    if (!content) continue;
    const auto get = [&](const char* key) { return entry.value(key, false); };
    const AddedToken token{*content,      get("single_word"), get("lstrip"),
                           get("rstrip"), get("normalized"),  get("special")};
    if (AddedToken* present = find_added(out, *content)) {
      *present = token;
    } else {
      missing.emplace_back(std::strtol(id.c_str(), nullptr, 10), token);
    }
  }
  std::stable_sort(missing.begin(), missing.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  for (auto& [id, token] : missing) out.added_tokens.push_back(std::move(token));
}

void read_named_tokens(const Json& config, TokenizerDefinition& out) {
  for (const char* name : kNamedTokens) {
    const auto content = token_content(config.value(name, Json()));
    if (!content) continue;
    out.special_by_name[name] = *content;
    mark_special(*content, out);
  }
  const Json extra = config.value("extra_special_tokens", Json());
  if (extra.is_object()) {
    for (const auto& [name, value] : extra.items()) {
      const auto content = token_content(value);
      if (!content) continue;
      out.special_by_name[name] = *content;
      mark_special(*content, out);
    }
  }
  for (const Json& list : {config.value("additional_special_tokens", Json()), extra}) {
    if (!list.is_array()) continue;
    for (const Json& value : list) {
      if (const auto content = token_content(value)) mark_special(*content, out);
    }
  }
}

void read_config_templates(const Json& config, TokenizerDefinition& out) {
  const Json source = config.value("chat_template", Json());
  if (source.is_string()) out.chat_templates["default"] = source.get<std::string>();
  if (!source.is_array()) return;
  for (const Json& item : source) {
    if (!item.is_object()) continue;
    const Json name = item.value("name", Json()), text = item.value("template", Json());
    if (name.is_string() && text.is_string()) {
      out.chat_templates[name.get<std::string>()] = text.get<std::string>();
    }
  }
}

void read_tokenizer_config(const fs::path& path, TokenizerDefinition& out) {
  const auto text = read_file_if_present(path);
  if (!text) return;
  out.files.push_back(path);
  const Json config = parse_json(*text, path.string());
  if (!config.is_object()) throw FormatError(path.string() + ": must be a JSON object");
  lay_over_added_tokens(config, out);
  read_named_tokens(config, out);
  read_config_templates(config, out);
  const Json length = config.value("model_max_length", Json());
  // Hugging Face writes 1e30 for "no limit".
  if (length.is_number() && length.get<double>() < 1e15) {
    out.model_max_length = length.get<std::int64_t>();
  }
}

void read_special_tokens_map(const fs::path& path, TokenizerDefinition& out) {
  const auto text = read_file_if_present(path);
  if (!text) return;
  out.files.push_back(path);
  const Json map = parse_json(*text, path.string());
  if (out.special_by_name.empty() && map.is_object()) read_named_tokens(map, out);
}

void read_template_files(const fs::path& folder, TokenizerDefinition& out) {
  const fs::path main = folder / "chat_template.jinja";
  if (const auto text = read_file_if_present(main)) {
    out.chat_templates["default"] = *text;
    out.files.push_back(main);
  }
  for (const char* name : {"chat_templates", "additional_chat_templates"}) {
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(folder / name, error)) {
      if (entry.path().extension() != ".jinja") continue;
      out.chat_templates[entry.path().stem().string()] = read_file(entry.path());
      out.files.push_back(entry.path());
    }
  }
}

void read_eos_ids(const fs::path& folder, TokenizerDefinition& out) {
  for (const char* name : {"generation_config.json", "config.json"}) {
    const auto text = read_file_if_present(folder / name);
    if (!text) continue;
    const Json config = parse_json(*text, (folder / name).string());
    const Json eos = config.is_object() ? config.value("eos_token_id", Json()) : Json();
    if (eos.is_number_integer()) out.end_of_turn.push_back(eos.get<TokenId>());
    if (eos.is_array()) {
      for (const Json& id : eos) {
        if (id.is_number_integer()) out.end_of_turn.push_back(id.get<TokenId>());
      }
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
