// Writes a tokenizer's files so that Hugging Face reads the same pipeline back.
#include <ostream>

#include "base/error.h"
#include "base/files.h"
#include "text/tokenizer/pipeline_tokenizer.h"

namespace aurum::text {
namespace {

namespace fs = std::filesystem;

Json added_token_json(const AddedToken& token, TokenId id) {
  return {{"id", id},
          {"content", token.content},
          {"single_word", token.single_word},
          {"lstrip", token.lstrip},
          {"rstrip", token.rstrip},
          {"normalized", token.normalized},
          {"special", token.special}};
}

Json model_head(const ModelDefinition& model, const BpeDefinition& bpe) {
  Json json = {{"type", "BPE"},
               {"dropout", nullptr},
               {"unk_token", nullptr},
               {"continuing_subword_prefix", nullptr},
               {"end_of_word_suffix", nullptr},
               {"fuse_unk", bpe.fuse_unk},
               {"byte_fallback", bpe.byte_fallback},
               {"ignore_merges", bpe.ignore_merges}};
  if (model.unk_token) json["unk_token"] = *model.unk_token;
  return json;
}

// The big tables are written by hand: an ordered object of 10^5 keys would take minutes to build.
void write_model(const ModelDefinition& model, std::ostream& out) {
  const auto& bpe = std::get<BpeDefinition>(model.kind);  // what GGUF files hold
  std::string head = model_head(model, bpe).dump();
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
  for (const auto& [left, right] : bpe.merges) {
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
  for (const auto& [name, source] : d.chat_templates) {
    if (name == "default") {
      write_file(folder / "chat_template.jinja", source.text);
    } else {
      make_folder(folder / "additional_chat_templates");
      write_file(folder / "additional_chat_templates" / (name + ".jinja"), source.text);
    }
  }
}

}  // namespace aurum::text
