#include "text/tokenizer/pipeline_tokenizer.h"

#include <algorithm>
#include <limits>

#include "base/error.h"
#include "base/log.h"
#include "text/tokenizer/byte_alphabet.h"
#include "text/tokenizer/fingerprint.h"
#include "text/tokenizer/stream_decoders.h"
#include "text/unicode/replace_all.h"
#include "text/unicode/utf8.h"

namespace aurum::text {
namespace {

// Whether an object of this type occurs in `json`.
bool names_type(const Json& json, std::string_view type) {
  if (json.is_object() && json.value("type", Json()) == type) return true;
  return json.is_structured() && std::any_of(json.begin(), json.end(), [&](const Json& value) {
           return names_type(value, type);
         });
}

JsonPlace part(const TokenizerDefinition& definition, const char* name) {
  return {definition.source + ": /" + name};
}

}  // namespace

PipelineTokenizer::PipelineTokenizer(TokenizerDefinition definition)
    : definition_(std::move(definition)),
      byte_level_(ends_in_byte_level(definition_.pre_tokenizer) &&
                  can_work_on_bytes(definition_.model)),
      decodes_bytewise_(definition_.decoder.is_object() &&
                        definition_.decoder.value("type", Json()) == "ByteLevel"),
      model_(make_model(definition_.model, byte_level_, definition_.source)),
      normalizer_(make_normalizer(definition_.normalizer, part(definition_, "normalizer"))),
      pre_tokenizer_(make_pre_tokenizer(
          definition_.pre_tokenizer, part(definition_, "pre_tokenizer"),
          byte_level_ ? LastByteLevel::kLeavesBytes : LastByteLevel::kWritesAlphabet)),
      decoder_(make_decoder(definition_.decoder, part(definition_, "decoder"))) {
  place_added_tokens();
  fill_token_bytes();
  post_processor_ =
      read_post_processor(definition_.post_processor, part(definition_, "post_processor"),
                          [this](std::string_view token) { return id_of(token); });
  find_special_tokens();
  fingerprint_ = fingerprint_of(definition_);
}

// Ids as Hugging Face gives them: the model's own; else they count on, in the file's order, from
// the number of the model's tokens.
void PipelineTokenizer::place_added_tokens() {
  const auto& vocabulary = definition_.model.vocabulary;
  tokens_.resize(vocabulary.size());
  std::size_t model_size = 0;
  for (std::size_t id = 0; id < vocabulary.size(); ++id) {
    tokens_[id].text = vocabulary[id];
    if (!vocabulary[id].empty()) ++model_size;
  }
  TokenId next = static_cast<TokenId>(model_size);
  for (const AddedToken& added : definition_.added_tokens) {
    if (added.content.empty()) continue;
    const auto known = id_of(added.content);
    const TokenId id = known ? *known : next++;
    if (static_cast<std::size_t>(id) >= tokens_.size()) {
      tokens_.resize(static_cast<std::size_t>(id) + 1);
    }
    Token& entry = tokens_[static_cast<std::size_t>(id)];
    entry.text = added.content;
    entry.added = true;
    entry.special = entry.special || added.special;
    if (!added_ids_.emplace(added.content, id).second) continue;
    if (added.file_id && *added.file_id != id) {
      log_warning("{}: the added token {} has id {}, not {} as its entry says (as in Hugging Face)",
                  definition_.source, added.content, id, *added.file_id);
    }
    if (added.normalized && normalizer_ != nullptr) {
      const MappedText pattern = normalizer_->apply(MappedText(added.content));
      normalized_matcher_.add(pattern.text(), id, added);
    } else {
      raw_matcher_.add(added.content, id, added);
    }
  }
}

void PipelineTokenizer::fill_token_bytes() {
  const bool fallback =
      definition_.model.has_byte_fallback() || names_type(definition_.decoder, "ByteFallback");
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
      replace_all(entry.bytes, "\xE2\x96\x81", " ");
    }
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
    model_->tokenize(whole.substr(piece.begin, piece.end - piece.begin),
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
  const std::size_t extra =
      add_special_tokens ? post_processor_.prefix.size() + post_processor_.suffix.size() : 0;
  result.ids.reserve(tokens.size() + extra);
  result.spans.reserve(tokens.size() + extra);
  const auto size = static_cast<std::int64_t>(text.size());
  const auto push = [&](TokenId id, std::int64_t begin, std::int64_t end) {
    result.ids.push_back(id);
    result.spans.push_back({begin, end});
  };
  if (add_special_tokens) {
    for (const TokenId id : post_processor_.prefix) push(id, 0, 0);
  }
  // A token reaches to where the next one begins, so that text without a token of its own (dropped
  // characters) belongs to the token before it.
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    push(tokens[i].id, i == 0 ? 0 : static_cast<std::int64_t>(tokens[i].begin),
         i + 1 < tokens.size() ? static_cast<std::int64_t>(tokens[i + 1].begin) : size);
  }
  if (add_special_tokens) {
    for (const TokenId id : post_processor_.suffix) push(id, size, size);
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
  return make_stream_decoder_for(*this, skip_special_tokens);
}

std::optional<TokenId> PipelineTokenizer::id_of(std::string_view text) const {
  const auto it = added_ids_.find(std::string(text));
  return it != added_ids_.end() ? std::optional(it->second) : model_->id_of(text);
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
