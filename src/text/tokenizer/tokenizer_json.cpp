// Reads tokenizer.json. The big tables (vocabulary, merges) go straight from the parser's tape into
// our own; the small parts stay JSON.
#include <simdjson.h>

#include "base/error.h"
#include "base/log.h"
#include "text/tokenizer/definition.h"

namespace aurum::text {
namespace {

// Ids are indexes of tables. One far beyond the number of entries is a mistake, and would take
// memory that the file does not account for.
constexpr std::uint64_t kMaxGap = 1 << 20;

bool flag(const simdjson::dom::element& object, const char* key) {
  bool value = false;
  return object[key].get(value) == simdjson::SUCCESS && value;
}

std::string text_of(const simdjson::dom::element& object, const char* key) {
  std::string_view value;
  return object[key].get(value) == simdjson::SUCCESS ? std::string(value) : std::string();
}

Json small_part(const simdjson::dom::element& root, const char* key) {
  simdjson::dom::element value;
  if (root[key].get(value) != simdjson::SUCCESS) return nullptr;
  return Json::parse(simdjson::minify(value));
}

void read_vocabulary(const simdjson::dom::element& model, const JsonPlace& place,
                     ModelDefinition& out) {
  simdjson::dom::object vocabulary;
  if (model["vocab"].get(vocabulary) != simdjson::SUCCESS) {
    (place / "vocab").fail("an object of token ids is missing here");
  }
  const std::uint64_t limit = 2 * vocabulary.size() + kMaxGap;
  for (const auto field : vocabulary) {
    std::uint64_t id = 0;
    if (field.value.get(id) != simdjson::SUCCESS || id >= limit) {
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

void read_bpe(const simdjson::dom::element& model, const JsonPlace& place, ModelDefinition& out) {
  BpeDefinition bpe;
  double dropout = 0;
  if (model["dropout"].get(dropout) == simdjson::SUCCESS && dropout != 0) {
    log_warning("{}: dropout {} is ignored; tokenization is deterministic", place.path, dropout);
  }
  bpe.continuing_subword_prefix = text_of(model, "continuing_subword_prefix");
  bpe.end_of_word_suffix = text_of(model, "end_of_word_suffix");
  bpe.fuse_unk = flag(model, "fuse_unk");
  bpe.byte_fallback = flag(model, "byte_fallback");
  bpe.ignore_merges = flag(model, "ignore_merges");
  read_vocabulary(model, place, out);
  read_merges(model, place, bpe);
  out.kind = std::move(bpe);
}

void read_unigram(const simdjson::dom::element& model, const JsonPlace& place,
                  ModelDefinition& out) {
  simdjson::dom::array list;
  if (model["vocab"].get(list) != simdjson::SUCCESS) {
    (place / "vocab").fail("a list of [piece, score] is missing here");
  }
  UnigramDefinition unigram;
  for (const auto item : list) {
    const JsonPlace here = place / "vocab" / std::to_string(out.vocabulary.size());
    simdjson::dom::array pair;
    std::string_view piece;
    double score = 0;
    if (item.get(pair) != simdjson::SUCCESS || pair.size() != 2 ||
        pair.at(0).get(piece) != simdjson::SUCCESS || pair.at(1).get(score) != simdjson::SUCCESS) {
      here.fail("must be [piece, score]");
    }
    out.vocabulary.emplace_back(piece);
    unigram.scores.push_back(score);
  }
  std::uint64_t unk = 0;
  if (model["unk_id"].get(unk) == simdjson::SUCCESS) {
    if (unk >= out.vocabulary.size()) {
      (place / "unk_id")
          .fail(fmt::format("is {}, but there are {} pieces", unk, out.vocabulary.size()));
    }
    unigram.unk_id = static_cast<TokenId>(unk);
    out.unk_token = out.vocabulary[unk];
  }
  unigram.byte_fallback = flag(model, "byte_fallback");
  out.kind = std::move(unigram);
}

void read_word_piece(const simdjson::dom::element& model, const JsonPlace& place,
                     ModelDefinition& out) {
  WordPieceDefinition word_piece;
  std::string_view prefix;
  if (model["continuing_subword_prefix"].get(prefix) == simdjson::SUCCESS) {
    word_piece.continuing_subword_prefix = prefix;
  }
  std::uint64_t longest = 0;
  if (model["max_input_chars_per_word"].get(longest) == simdjson::SUCCESS) {
    word_piece.max_input_chars_per_word = longest;
  }
  if (!out.unk_token) out.unk_token = "[UNK]";
  read_vocabulary(model, place, out);
  out.kind = std::move(word_piece);
}

// Old files do not name the type.
std::string type_by_fields(const simdjson::dom::element& model) {
  const auto has = [&](const char* key) { return model[key].error() == simdjson::SUCCESS; };
  if (has("merges")) return "BPE";
  if (has("max_input_chars_per_word")) return "WordPiece";
  return has("unk_id") ? "Unigram" : "";
}

void read_model(const simdjson::dom::element& root, const JsonPlace& place, ModelDefinition& out) {
  simdjson::dom::element model;
  if (root["model"].get(model) != simdjson::SUCCESS || !model.is_object()) {
    place.fail("an object is missing here");
  }
  std::string type = text_of(model, "type");
  if (type.empty()) type = type_by_fields(model);
  if (const std::string unk = text_of(model, "unk_token"); !unk.empty()) out.unk_token = unk;
  if (type == "BPE") return read_bpe(model, place, out);
  if (type == "Unigram") return read_unigram(model, place, out);
  if (type == "WordPiece") return read_word_piece(model, place, out);
  (place / "type")
      .fail(fmt::format(
          "is \"{}\"; supported: BPE, Unigram, WordPiece. Pick another model or convert "
          "its tokenizer",
          type));
}

AddedToken read_added_token(const simdjson::dom::element& object, const JsonPlace& place) {
  if (!object.is_object()) place.fail("must be an object");
  AddedToken token{text_of(object, "content"), flag(object, "single_word"),
                   flag(object, "lstrip"),     flag(object, "rstrip"),
                   flag(object, "normalized"), flag(object, "special")};
  std::int64_t id = 0;
  if (object["id"].get(id) == simdjson::SUCCESS) token.file_id = static_cast<TokenId>(id);
  return token;
}

void read_added_tokens(const simdjson::dom::element& root, const JsonPlace& place,
                       TokenizerDefinition& out) {
  simdjson::dom::array list;
  if (root["added_tokens"].get(list) != simdjson::SUCCESS) return;
  for (const auto item : list) {
    out.added_tokens.push_back(
        read_added_token(item, place / std::to_string(out.added_tokens.size())));
  }
}

}  // namespace

void read_tokenizer_json(const std::filesystem::path& path, std::string_view content,
                         TokenizerDefinition& out) {
  const std::string where = path.string();
  simdjson::dom::parser parser;
  const simdjson::padded_string padded(content);
  simdjson::dom::element root;
  if (const auto error = parser.parse(padded).get(root); error != simdjson::SUCCESS) {
    throw FormatError(fmt::format("{}: not JSON: {}", where, simdjson::error_message(error)));
  }
  if (!root.is_object()) throw FormatError(where + ": must hold a JSON object");
  if (const std::string version = text_of(root, "version"); !version.empty() && version != "1.0") {
    throw FormatError(fmt::format("{}: /version is {}, only 1.0 is known", where, version));
  }
  out.normalizer = small_part(root, "normalizer");
  out.pre_tokenizer = small_part(root, "pre_tokenizer");
  out.post_processor = small_part(root, "post_processor");
  out.decoder = small_part(root, "decoder");
  read_model(root, {where + ": /model"}, out.model);
  read_added_tokens(root, {where + ": /added_tokens"}, out);
}

}  // namespace aurum::text
