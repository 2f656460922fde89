#include "text/tokenizer/pipeline_tokenizer.h"

#include <algorithm>
#include <limits>

#include "base/error.h"
#include "base/log.h"
#include "text/tokenizer/byte_alphabet.h"
#include "text/unicode/utf8.h"

namespace aurum::text {
namespace {

JsonPlace part(const TokenizerDefinition& definition, const char* name) {
  return {definition.source + ": /" + name};
}

// Bytes to text, holding back what later bytes could still change.
class ByteStreamDecoder : public StreamDecoder {
 public:
  ByteStreamDecoder(const PipelineTokenizer& tokenizer, bool skip_special)
      : tokenizer_(tokenizer), skip_special_(skip_special) {}
  std::string push(TokenId id) override {
    if (skip_special_ && tokenizer_.is_special(id)) return {};
    pending_ += tokenizer_.token_bytes(id);
    const std::size_t complete = complete_utf8_prefix(pending_);
    std::string text = decode_lossily(std::string_view(pending_).substr(0, complete));
    pending_.erase(0, complete);
    return text;
  }
  std::string finish() override {
    std::string text = decode_lossily(pending_);
    pending_.clear();
    return text;
  }

 private:
  const PipelineTokenizer& tokenizer_;
  bool skip_special_;
  std::string pending_;
};

// For decoders that look at neighbours: decodes anew from the last settled token. Byte tokens are
// held back until their run ends, for one bad byte changes the text of the whole run.
class WindowStreamDecoder : public StreamDecoder {
 public:
  WindowStreamDecoder(const PipelineTokenizer& tokenizer, bool skip_special)
      : tokenizer_(tokenizer), skip_special_(skip_special) {}
  std::string push(TokenId id) override {
    if (skip_special_ && tokenizer_.is_special(id)) return {};
    if (!tokenizer_.has_token(id)) return {};
    window_.push_back(id);
    if (tokenizer_.is_byte_token(id)) return {};
    std::string text = fresh_text();
    window_.assign(1, id);
    settled_ = 1;
    return text;
  }
  std::string finish() override {
    std::string text = fresh_text();
    window_.clear();
    settled_ = 0;
    return text;
  }

 private:
  std::string fresh_text() const {
    const std::string whole = tokenizer_.decode(window_, false);
    const std::string before = tokenizer_.decode(std::span(window_).subspan(0, settled_), false);
    return whole.substr(std::min(before.size(), whole.size()));
  }

  const PipelineTokenizer& tokenizer_;
  bool skip_special_;
  std::vector<TokenId> window_;  // the last settled token, then what is held back
  std::size_t settled_ = 0;
};

std::uint64_t mix(std::uint64_t hash, std::string_view bytes) {
  for (const char byte : bytes) {
    hash = (hash ^ static_cast<unsigned char>(byte)) * 0x100000001B3ULL;
  }
  return (hash ^ 0xFF) * 0x100000001B3ULL;  // so that "a" "b" differs from "ab"
}

}  // namespace

PipelineTokenizer::PipelineTokenizer(TokenizerDefinition definition)
    : definition_(std::move(definition)),
      byte_level_(uses_byte_level(definition_.pre_tokenizer)),
      decodes_bytewise_(definition_.decoder.is_object() &&
                        definition_.decoder.value("type", Json()) == "ByteLevel"),
      model_(definition_.model, byte_level_, definition_.source),
      normalizer_(make_normalizer(definition_.normalizer, part(definition_, "normalizer"))),
      pre_tokenizer_(
          make_pre_tokenizer(definition_.pre_tokenizer, part(definition_, "pre_tokenizer"))),
      decoder_(make_decoder(definition_.decoder, part(definition_, "decoder"))) {
  place_added_tokens();
  fill_token_bytes();
  read_post_processor(definition_.post_processor, part(definition_, "post_processor"));
  find_special_tokens();
  hash_definition();
}

// Ids as Hugging Face gives them: the model's own, else the next free one in the file's order.
void PipelineTokenizer::place_added_tokens() {
  const auto& vocabulary = definition_.model.vocabulary;
  tokens_.resize(vocabulary.size());
  for (std::size_t id = 0; id < vocabulary.size(); ++id) tokens_[id].text = vocabulary[id];
  for (const AddedToken& added : definition_.added_tokens) {
    if (added.content.empty()) continue;
    std::optional<TokenId> id = id_of(added.content);
    if (!id) {
      id = static_cast<TokenId>(tokens_.size());
      tokens_.emplace_back();
    }
    Token& entry = tokens_[static_cast<std::size_t>(*id)];
    entry.text = added.content;
    entry.added = true;
    entry.special = entry.special || added.special;
    if (!added_ids_.emplace(added.content, *id).second) continue;
    if (added.file_id && *added.file_id != *id) {
      log_warning("{}: the added token {} has id {}, not {} as its entry says (as in Hugging Face)",
                  definition_.source, added.content, *id, *added.file_id);
    }
    if (added.normalized && normalizer_ != nullptr) {
      const MappedText pattern = normalizer_->apply(MappedText(added.content));
      normalized_matcher_.add(pattern.text(), *id, added);
    } else {
      raw_matcher_.add(added.content, *id, added);
    }
  }
}

void PipelineTokenizer::fill_token_bytes() {
  const bool fallback = definition_.model.byte_fallback;
  DecodedPieces one;
  for (Token& entry : tokens_) {
    if (entry.text.empty()) continue;
    entry.bytes = entry.text;
    if (entry.added) continue;
    const auto byte = byte_of_token(entry.text);
    if (fallback && byte) {
      entry.byte = true;
      entry.bytes.assign(1, static_cast<char>(*byte));
    } else if (byte_level_ || decodes_bytewise_) {
      std::string bytes;
      if (bytes_of_alphabet(entry.text, bytes)) entry.bytes = bytes;
    } else {
      constexpr std::string_view kSpace = "\xE2\x96\x81";
      std::string& bytes = entry.bytes;
      for (std::size_t p = bytes.find(kSpace); p != std::string::npos; p = bytes.find(kSpace, p)) {
        bytes.replace(p, kSpace.size(), " ");
      }
    }
  }
}

TokenId PipelineTokenizer::required_id(const std::string& content, const JsonPlace& place) const {
  const auto id = id_of(content);
  if (!id) place.fail(fmt::format("names the token {}, which does not exist", content));
  return *id;
}

void PipelineTokenizer::read_template(const Json& object, const JsonPlace& place) {
  const Json specials = object.value("special_tokens", Json::object());
  std::vector<TokenId>* out = &prefix_;
  for (const Json& item : json_array(object, "single", place)) {
    if (item.contains("Sequence")) {
      if (out == &suffix_) (place / "single").fail("has more than one Sequence");
      out = &suffix_;
      continue;
    }
    if (!item.contains("SpecialToken")) (place / "single").fail("has an unknown piece");
    const std::string name = json_string(item["SpecialToken"], "id", place / "single");
    const Json entry = specials.value(name, Json::object());
    const auto ids = json_value<std::vector<TokenId>>(entry, "ids", {}, place / "special_tokens");
    if (ids.empty()) out->push_back(required_id(name, place / "single"));
    out->insert(out->end(), ids.begin(), ids.end());
  }
}

void PipelineTokenizer::read_post_processor(const Json& object, const JsonPlace& place) {
  if (object.is_null()) return;
  const std::string type = json_type(object, place);
  if (type == "ByteLevel") return;  // it moves offsets only
  if (type == "Sequence") {
    const Json& list = json_array(object, "processors", place);
    for (std::size_t i = 0; i < list.size(); ++i) {
      read_post_processor(list[i], place / "processors" / std::to_string(i));
    }
  } else if (type == "TemplateProcessing") {
    read_template(object, place);
  } else if (type == "BertProcessing" || type == "RobertaProcessing") {
    const auto first = json_array(object, "cls", place), last = json_array(object, "sep", place);
    if (first.size() != 2 || last.size() != 2) place.fail("cls and sep must be [token, id]");
    prefix_.push_back(required_id(first[0].get<std::string>(), place / "cls"));
    suffix_.push_back(required_id(last[0].get<std::string>(), place / "sep"));
  } else {
    place.fail(fmt::format("the post-processor {} is not supported", type));
  }
}

void PipelineTokenizer::find_special_tokens() {
  special_.by_name = definition_.special_by_name;
  const auto find = [&](const char* name) -> std::optional<TokenId> {
    const auto it = special_.by_name.find(name);
    return it == special_.by_name.end() ? std::nullopt : id_of(it->second);
  };
  special_.bos = find("bos_token");
  special_.eos = find("eos_token");
  special_.pad = find("pad_token");
  special_.unk = find("unk_token");
  if (!special_.unk && definition_.model.unk_token)
    special_.unk = id_of(*definition_.model.unk_token);
  special_.end_of_turn = definition_.end_of_turn;
  auto& ends = special_.end_of_turn;
  if (special_.eos && std::find(ends.begin(), ends.end(), *special_.eos) == ends.end()) {
    ends.insert(ends.begin(), *special_.eos);
  }
}

void PipelineTokenizer::hash_definition() {
  std::uint64_t hash = 0xCBF29CE484222325ULL;
  const auto& d = definition_;
  for (const Json* json : {&d.normalizer, &d.pre_tokenizer, &d.post_processor}) {
    hash = mix(hash, json->dump());
  }
  for (const std::string& text : d.model.vocabulary) hash = mix(hash, text);
  for (const auto& [left, right] : d.model.merges) hash = mix(mix(hash, left), right);
  for (const AddedToken& t : d.added_tokens) {
    hash = mix(mix(hash, t.content), fmt::format("{:d}{:d}{:d}{:d}{:d}", t.single_word, t.lstrip,
                                                 t.rstrip, t.normalized, t.special));
  }
  fingerprint_ = mix(hash, fmt::format("{:d}{:d}{:d} {}", d.model.fuse_unk, d.model.byte_fallback,
                                       d.model.ignore_merges, d.model.unk_token.value_or("")));
}

void PipelineTokenizer::encode_normalized(MappedText text, std::size_t base,
                                          std::vector<ModelToken>& out) const {
  if (text.text().empty()) return;
  PreTokenized state{std::move(text), {}, false};
  state.at_text_start = base == 0 && state.text.origin(0) == 0;
  state.pieces.push_back({0, state.text.text().size()});
  if (pre_tokenizer_ != nullptr) pre_tokenizer_->apply(state);
  const std::string_view whole = state.text.text();
  std::size_t first = out.size();
  for (const PieceRange piece : state.pieces) {
    model_.tokenize(whole.substr(piece.begin, piece.end - piece.begin),
                    static_cast<std::uint32_t>(piece.begin), out);
  }
  for (; first < out.size(); ++first) {
    out[first].begin = static_cast<std::uint32_t>(base + state.text.origin(out[first].begin));
  }
}

void PipelineTokenizer::encode_section(std::string_view section, std::size_t base,
                                       std::vector<ModelToken>& out) const {
  if (section.empty()) return;
  MappedText text(section);
  if (normalizer_ != nullptr) text = normalizer_->apply(std::move(text));
  const auto matches = normalized_matcher_.find_all(text.text());
  if (matches.empty()) return encode_normalized(std::move(text), base, out);
  std::size_t done = 0;
  for (const auto& match : matches) {
    encode_normalized(text.slice(done, match.begin), base, out);
    out.push_back({match.id, static_cast<std::uint32_t>(base + text.origin(match.begin))});
    done = match.end;
  }
  encode_normalized(text.slice(done, text.text().size()), base, out);
}

Encoding PipelineTokenizer::encode(std::string_view text, bool add_special_tokens) const {
  if (!is_valid_utf8(text)) {
    std::size_t at = 0;
    for (Utf8Unit unit = utf8_unit(text, at); unit.valid; unit = utf8_unit(text, at)) {
      at += unit.length;
    }
    throw InputError(
        fmt::format("the text to tokenize is not UTF-8 at byte {}; convert it to UTF-8 first", at));
  }
  if (text.size() >= std::numeric_limits<std::uint32_t>::max() / 4) {
    throw InputError("the text to tokenize is 1 GiB or more; split it");
  }
  std::vector<ModelToken> tokens;
  tokens.reserve(text.size() / 3 + 8);
  std::size_t done = 0;
  for (const auto& match : raw_matcher_.find_all(text)) {
    encode_section(text.substr(done, match.begin - done), done, tokens);
    tokens.push_back({match.id, static_cast<std::uint32_t>(match.begin)});
    done = match.end;
  }
  encode_section(text.substr(done), done, tokens);

  Encoding result;
  const std::size_t extra = add_special_tokens ? prefix_.size() + suffix_.size() : 0;
  result.ids.reserve(tokens.size() + extra);
  result.spans.reserve(tokens.size() + extra);
  const auto size = static_cast<std::int64_t>(text.size());
  const auto push = [&](TokenId id, std::int64_t begin, std::int64_t end) {
    result.ids.push_back(id);
    result.spans.push_back({begin, end});
  };
  if (add_special_tokens) {
    for (const TokenId id : prefix_) push(id, 0, 0);
  }
  // A token reaches to where the next one begins, so that text without a token of its own (dropped
  // characters) belongs to the token before it.
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    push(tokens[i].id, i == 0 ? 0 : static_cast<std::int64_t>(tokens[i].begin),
         i + 1 < tokens.size() ? static_cast<std::int64_t>(tokens[i + 1].begin) : size);
  }
  if (add_special_tokens) {
    for (const TokenId id : suffix_) push(id, size, size);
  }
  return result;
}

std::vector<std::string> PipelineTokenizer::decode_pieces(std::span<const TokenId> ids,
                                                          bool skip_special) const {
  std::vector<std::string> result(ids.size());
  DecodedPieces state;
  std::vector<std::size_t> kept;
  for (std::size_t i = 0; i < ids.size(); ++i) {
    if (!has_token(ids[i]) || (skip_special && is_special(ids[i]))) continue;
    if (decodes_bytewise_) {
      result[i] = token_bytes(ids[i]);
    } else {
      kept.push_back(i);
      state.pieces.push_back(token(ids[i]).text);
    }
  }
  if (decodes_bytewise_) return result;
  decoder_->apply(state);
  for (std::size_t i = 0; i < kept.size(); ++i) result[kept[i]] = std::move(state.pieces[i]);
  return result;
}

std::string PipelineTokenizer::decode(std::span<const TokenId> ids,
                                      bool skip_special_tokens) const {
  std::string bytes;
  for (const std::string& piece : decode_pieces(ids, skip_special_tokens)) bytes += piece;
  return decode_lossily(bytes);
}

DecodedSpans PipelineTokenizer::spans_of_ids(std::span<const TokenId> ids) const {
  std::string bytes;
  std::vector<std::int64_t> ends;
  ends.reserve(ids.size());
  for (const std::string& piece : decode_pieces(ids, true)) {
    bytes += piece;
    ends.push_back(static_cast<std::int64_t>(bytes.size()));
  }
  DecodedSpans result;
  result.text = decode_lossily(bytes, &ends);
  std::int64_t begin = 0;
  for (const std::int64_t end : ends) {
    result.spans.push_back({begin, end});
    begin = end;
  }
  return result;
}

std::unique_ptr<StreamDecoder> PipelineTokenizer::make_stream_decoder(
    bool skip_special_tokens) const {
  if (decodes_bytewise_) return std::make_unique<ByteStreamDecoder>(*this, skip_special_tokens);
  return std::make_unique<WindowStreamDecoder>(*this, skip_special_tokens);
}

std::optional<TokenId> PipelineTokenizer::id_of(std::string_view text) const {
  const auto it = added_ids_.find(std::string(text));
  return it != added_ids_.end() ? std::optional(it->second) : model_.id_of(text);
}

std::string PipelineTokenizer::piece(TokenId id) const {
  return has_token(id) ? token(id).text : std::string();
}

std::string_view PipelineTokenizer::token_bytes(TokenId id) const {
  return has_token(id) ? std::string_view(token(id).bytes) : std::string_view();
}

bool PipelineTokenizer::is_special(TokenId id) const { return has_token(id) && token(id).special; }

bool PipelineTokenizer::is_byte_token(TokenId id) const { return has_token(id) && token(id).byte; }

std::shared_ptr<const Tokenizer> build_tokenizer(TokenizerDefinition definition) {
  return std::make_shared<PipelineTokenizer>(std::move(definition));
}

}  // namespace aurum::text
