// Reads and writes the files of a Hugging Face tokenizer.
#include <algorithm>
#include <array>

#include <simdjson.h>

#include "base/error.h"
#include "base/files.h"
#include "base/log.h"
#include "text/tokenizer/definition.h"
#include "text/tokenizer/pipeline_tokenizer.h"

namespace aurum::text {
namespace {

namespace fs = std::filesystem;

// Ids are indexes of tables; more than this is a broken file, not a vocabulary.
constexpr std::uint64_t kMaxVocabulary = 1 << 24;

constexpr std::array<const char*, 7> kNamedTokens = {
    "bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"};

Json parse_json(const std::string& text, const std::string& where) {
  try {
    return Json::parse(text);
  } catch (const nlohmann::json::exception& error) {
    throw FormatError(fmt::format("{}: not JSON: {}", where, error.what()));
  }
}

Json small_part(const simdjson::dom::element& root, const char* key) {
  simdjson::dom::element value;
  if (root[key].get(value) != simdjson::SUCCESS) return nullptr;
  return Json::parse(simdjson::minify(value));
}

void read_vocabulary(const simdjson::dom::element& model, const JsonPlace& place,
                     BpeDefinition& out) {
  simdjson::dom::object vocabulary;
  if (model["vocab"].get(vocabulary) != simdjson::SUCCESS) {
    (place / "vocab").fail("an object of token ids is missing here");
  }
  for (const auto field : vocabulary) {
    std::uint64_t id = 0;
    if (field.value.get(id) != simdjson::SUCCESS || id >= kMaxVocabulary) {
      (place / "vocab").fail(fmt::format("the id of {} is not a valid token id", field.key));
    }
    if (id >= out.vocabulary.size()) out.vocabulary.resize(id + 1);
    out.vocabulary[id] = field.key;
  }
}

void read_merges(const simdjson::dom::element& model, const JsonPlace& place, BpeDefinition& out) {
  simdjson::dom::array merges;
  if (model["merges"].get(merges) != simdjson::SUCCESS) {
    (place / "merges").fail("a list is missing here");
  }
  std::size_t index = 0;
  for (const auto merge : merges) {
    const JsonPlace here = place / "merges" / std::to_string(index++);
    std::string_view left, right;
    if (merge.get(left) == simdjson::SUCCESS) {
      const std::size_t space = left.find(' ');
      if (space == std::string_view::npos || left.find(' ', space + 1) != std::string_view::npos) {
        here.fail("must be two tokens with one space between");
      }
      right = left.substr(space + 1);
      left = left.substr(0, space);
    } else {
      simdjson::dom::array pair;
      if (merge.get(pair) != simdjson::SUCCESS || pair.size() != 2 ||
          pair.at(0).get(left) != simdjson::SUCCESS || pair.at(1).get(right) != simdjson::SUCCESS) {
        here.fail("must be a pair of tokens");
      }
    }
    out.merges.emplace_back(left, right);
  }
}

bool flag(const simdjson::dom::element& object, const char* key) {
  bool value = false;
  return object[key].get(value) == simdjson::SUCCESS && value;
}

std::string text_of(const simdjson::dom::element& object, const char* key) {
  std::string_view value;
  return object[key].get(value) == simdjson::SUCCESS ? std::string(value) : std::string();
}

void read_model(const simdjson::dom::element& root, const JsonPlace& place, BpeDefinition& out) {
  simdjson::dom::element model;
  if (root["model"].get(model) != simdjson::SUCCESS) place.fail("there is no model");
  const std::string type = text_of(model, "type");
  simdjson::dom::array merges;
  const bool looks_like_bpe = model["merges"].get(merges) == simdjson::SUCCESS;
  if (type != "BPE" && !(type.empty() && looks_like_bpe)) {
    place.fail(fmt::format("the model {} is not supported (supported: BPE)", type));
  }
  for (const char* key : {"continuing_subword_prefix", "end_of_word_suffix"}) {
    if (!text_of(model, key).empty()) (place / key).fail("is not supported; it must be empty");
  }
  double dropout = 0;
  if (model["dropout"].get(dropout) == simdjson::SUCCESS && dropout != 0) {
    log_warning("{}: dropout {} is ignored; tokenization is deterministic", place.path, dropout);
  }
  if (const std::string unk = text_of(model, "unk_token"); !unk.empty()) out.unk_token = unk;
  out.fuse_unk = flag(model, "fuse_unk");
  out.byte_fallback = flag(model, "byte_fallback");
  out.ignore_merges = flag(model, "ignore_merges");
  read_vocabulary(model, place, out);
  read_merges(model, place, out);
}

AddedToken read_added_token(const simdjson::dom::element& object) {
  AddedToken token{text_of(object, "content"), flag(object, "single_word"),
                   flag(object, "lstrip"),     flag(object, "rstrip"),
                   flag(object, "normalized"), flag(object, "special")};
  std::int64_t id = 0;
  if (object["id"].get(id) == simdjson::SUCCESS) token.file_id = static_cast<TokenId>(id);
  return token;
}

void read_added_tokens(const simdjson::dom::element& root, TokenizerDefinition& out) {
  simdjson::dom::array list;
  if (root["added_tokens"].get(list) != simdjson::SUCCESS) return;
  for (const auto item : list) out.added_tokens.push_back(read_added_token(item));
}

void read_tokenizer_json(const fs::path& path, TokenizerDefinition& out) {
  simdjson::dom::parser parser;
  const simdjson::padded_string content{read_file(path)};
  simdjson::dom::element root;
  if (const auto error = parser.parse(content).get(root); error != simdjson::SUCCESS) {
    throw FormatError(
        fmt::format("{}: not JSON: {}", path.string(), simdjson::error_message(error)));
  }
  if (const std::string version = text_of(root, "version"); !version.empty() && version != "1.0") {
    throw FormatError(fmt::format("{}: /version is {}, only 1.0 is known", path.string(), version));
  }
  out.normalizer = small_part(root, "normalizer");
  out.pre_tokenizer = small_part(root, "pre_tokenizer");
  out.post_processor = small_part(root, "post_processor");
  out.decoder = small_part(root, "decoder");
  read_model(root, {path.string() + ": /model"}, out.model);
  read_added_tokens(root, out);
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

Json added_token_json(const AddedToken& token, TokenId id) {
  return {{"id", id},
          {"content", token.content},
          {"single_word", token.single_word},
          {"lstrip", token.lstrip},
          {"rstrip", token.rstrip},
          {"normalized", token.normalized},
          {"special", token.special}};
}

Json model_json(const BpeDefinition& model) {
  Json json = {{"type", "BPE"},
               {"dropout", nullptr},
               {"unk_token", nullptr},
               {"continuing_subword_prefix", nullptr},
               {"end_of_word_suffix", nullptr},
               {"fuse_unk", model.fuse_unk},
               {"byte_fallback", model.byte_fallback},
               {"ignore_merges", model.ignore_merges}};
  if (model.unk_token) json["unk_token"] = *model.unk_token;
  return json;
}

// The big tables are written by hand: an ordered object of 10^5 keys would take minutes to build.
void write_model(const BpeDefinition& model, std::ostream& out) {
  std::string head = model_json(model).dump();
  head.pop_back();
  out << head << ",\n\"vocab\":{";
  const char* comma = "\n";
  for (std::size_t id = 0; id < model.vocabulary.size(); ++id) {
    if (model.vocabulary[id].empty()) continue;
    out << comma << Json(model.vocabulary[id]).dump() << ':' << id;
    comma = ",\n";
  }
  out << "\n},\n\"merges\":[";
  comma = "\n";
  for (const auto& [left, right] : model.merges) {
    out << comma << '[' << Json(left).dump() << ',' << Json(right).dump() << ']';
    comma = ",\n";
  }
  out << "\n]}";
}

void write_tokenizer_json(const PipelineTokenizer& tokenizer, const fs::path& path) {
  const TokenizerDefinition& d = tokenizer.definition();
  Json added = Json::array();
  for (const AddedToken& token : d.added_tokens) {
    added.push_back(added_token_json(token, *tokenizer.id_of(token.content)));
  }
  write_file(path, [&](std::ostream& out) {
    out << "{\"version\":\"1.0\",\"truncation\":null,\"padding\":null,\n\"added_tokens\":"
        << added.dump() << ",\n\"normalizer\":" << d.normalizer.dump()
        << ",\n\"pre_tokenizer\":" << d.pre_tokenizer.dump()
        << ",\n\"post_processor\":" << d.post_processor.dump()
        << ",\n\"decoder\":" << d.decoder.dump() << ",\n\"model\":";
    write_model(d.model, out);
    out << "}\n";
  });
}

void write_tokenizer_config(const TokenizerDefinition& d, const fs::path& path) {
  Json config = {{"tokenizer_class", "PreTrainedTokenizerFast"},
                 {"clean_up_tokenization_spaces", false}};
  for (const auto& [name, content] : d.special_by_name) config[name] = content;
  if (d.model_max_length) config["model_max_length"] = *d.model_max_length;
  write_file(path, config.dump(2) + "\n");
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
  read_tokenizer_json(file, result);
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

void save_tokenizer(const Tokenizer& tokenizer, const fs::path& folder) {
  const auto* pipeline = dynamic_cast<const PipelineTokenizer*>(&tokenizer);
  AURUM_CHECK(pipeline != nullptr, "a tokenizer of an unknown kind");
  const TokenizerDefinition& d = pipeline->definition();
  make_folder(folder);
  for (const fs::path& file : d.files) {
    const bool named = file.parent_path().filename().string().ends_with("chat_templates") &&
                       file.extension() == ".jinja";
    const fs::path target =
        named ? folder / file.parent_path().filename() / file.filename()
              : folder / (file == d.files.front() ? fs::path("tokenizer.json") : file.filename());
    make_folder(target.parent_path());
    write_file(target, read_file(file));
  }
  if (!d.files.empty()) return;
  write_tokenizer_json(*pipeline, folder / "tokenizer.json");
  write_tokenizer_config(d, folder / "tokenizer_config.json");
  for (const auto& [name, text] : d.chat_templates) {
    if (name == "default") {
      write_file(folder / "chat_template.jinja", text);
    } else {
      make_folder(folder / "additional_chat_templates");
      write_file(folder / "additional_chat_templates" / (name + ".jinja"), text);
    }
  }
}

}  // namespace aurum::text
