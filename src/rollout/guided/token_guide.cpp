#include "rollout/guided/token_guide.h"

#include <algorithm>

#include "base/error.h"

namespace aurum::rollout {

namespace {

constexpr std::size_t kMostKnownBytes = std::size_t{64} << 20;

using Token = GuideTokens::Token;

std::vector<Token> sorted(const std::vector<std::string>& bytes) {
  std::vector<Token> tokens;
  for (std::size_t id = 0; id < bytes.size(); ++id) {
    if (!bytes[id].empty()) tokens.push_back({bytes[id], static_cast<std::int32_t>(id), 0});
  }
  std::sort(tokens.begin(), tokens.end(), [](const Token& a, const Token& b) {
    return a.bytes != b.bytes ? a.bytes < b.bytes : a.id < b.id;
  });
  for (std::size_t i = 1; i < tokens.size(); ++i) {
    const std::string &before = tokens[i - 1].bytes, &own = tokens[i].bytes;
    const auto [end, other] = std::mismatch(own.begin(), own.end(), before.begin(), before.end());
    tokens[i].shared = static_cast<std::size_t>(end - own.begin());
  }
  return tokens;
}

// Whether the decoder leaves out a blank that a text begins with.
bool drops_first_blank(const text::Tokenizer& tokenizer, const std::vector<std::string>& bytes) {
  for (std::size_t id = 0; id < bytes.size(); ++id) {
    const std::string& own = bytes[id];
    if (own.size() < 2 || own.front() != ' ' || static_cast<unsigned char>(own[1]) >= 0x80)
      continue;
    const std::int32_t ids[] = {static_cast<std::int32_t>(id)};
    return tokenizer.spans_of_ids(ids).text == own.substr(1);
  }
  return false;
}

}  // namespace

GuideTokens::GuideTokens(const text::Tokenizer& tokenizer) {
  for (std::int32_t id = 0; id < tokenizer.vocab_size(); ++id) {
    const bool is_text = !tokenizer.is_special(id);
    bytes_.emplace_back(is_text ? tokenizer.token_bytes(id) : std::string_view());
  }
  first_bytes_ = bytes_;
  if (drops_first_blank(tokenizer, bytes_)) {
    for (std::string& bytes : first_bytes_) {
      if (bytes.starts_with(' ')) bytes.erase(0, 1);
    }
  }
  later_ = sorted(bytes_);
  first_ = sorted(first_bytes_);
}

const std::string& GuideTokens::bytes_of(std::int32_t id, bool is_first) const {
  return (is_first ? first_bytes_ : bytes_).at(static_cast<std::size_t>(id));
}

TokenGuide::TokenGuide(const std::string& pattern, std::shared_ptr<const GuideTokens> tokens,
                       Ids end_of_turn_ids)
    : automaton_(pattern),
      tokens_(std::move(tokens)),
      end_of_turn_ids_(std::move(end_of_turn_ids)) {}

std::shared_ptr<const TokenGuide::Ids> TokenGuide::allowed(const State& state) {
  const std::int64_t key = std::int64_t{2} * state.automaton + (state.is_first ? 1 : 0);
  const auto found = known_.find(key);
  if (found != known_.end()) return found->second;
  auto ids = find_allowed(state);
  const std::size_t bytes = ids->size() * sizeof(std::int32_t);
  if (known_bytes_ + bytes > kMostKnownBytes) {
    known_.clear();  // whoever holds a list keeps it
    known_bytes_ = 0;
  }
  known_bytes_ += bytes;
  known_.emplace(key, ids);
  return ids;
}

std::shared_ptr<const TokenGuide::Ids> TokenGuide::find_allowed(const State& state) {
  auto ids = std::make_shared<Ids>();
  std::vector<ByteAutomaton::State> path = {state.automaton};  // after each byte of the last token
  for (const Token& token : tokens_->tokens(state.is_first)) {
    if (token.shared >= path.size()) continue;  // it begins with what was dead
    path.resize(token.shared + 1);
    while (path.size() <= token.bytes.size()) {
      const auto byte = static_cast<std::uint8_t>(token.bytes[path.size() - 1]);
      const ByteAutomaton::State next = automaton_.next(path.back(), byte);
      if (next == ByteAutomaton::kDead) break;
      path.push_back(next);
    }
    if (path.size() == token.bytes.size() + 1 && !ends_turn(token.id)) ids->push_back(token.id);
  }
  if (automaton_.accepts(state.automaton)) {
    ids->insert(ids->end(), end_of_turn_ids_.begin(), end_of_turn_ids_.end());
  }
  if (ids->empty()) {
    throw InputError("no token of the vocabulary goes on with a text that the regex matches");
  }
  std::sort(ids->begin(), ids->end());
  return ids;
}

bool TokenGuide::ends_turn(std::int32_t id) const {
  return std::find(end_of_turn_ids_.begin(), end_of_turn_ids_.end(), id) != end_of_turn_ids_.end();
}

TokenGuide::State TokenGuide::advance(const State& state, std::int32_t id) {
  ByteAutomaton::State at = state.automaton;
  for (const char byte : tokens_->bytes_of(id, state.is_first)) {
    at = automaton_.next(at, static_cast<std::uint8_t>(byte));
    AURUM_CHECK(at != ByteAutomaton::kDead, "token {} was not allowed", id);
  }
  return {.automaton = at, .is_first = false};
}

}  // namespace aurum::rollout
