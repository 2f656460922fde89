#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "rollout/guided/byte_automaton.h"
#include "text/tokenizer/tokenizer.h"

namespace aurum::rollout {

// The bytes that each id adds to a completion, sorted so that neighbours share long prefixes.
// Special tokens add none and are left out.
class GuideTokens {
 public:
  explicit GuideTokens(const text::Tokenizer& tokenizer);

  struct Token {
    std::string bytes;
    std::int32_t id;
    std::size_t shared;  // bytes in common with the token before it
  };
  // A decoder may drop a blank at the very beginning of a text (SentencePiece).
  const std::vector<Token>& tokens(bool is_first) const { return is_first ? first_ : later_; }
  const std::string& bytes_of(std::int32_t id, bool is_first) const;

 private:
  std::vector<Token> first_, later_;
  std::vector<std::string> bytes_, first_bytes_;  // by id
};

// Which tokens may come next in a completion that has to match a regular expression as a whole.
// Lists are made when a state is first reached, by one walk over the sorted vocabulary that leaves
// out what shares a dead prefix, and kept up to a budget of bytes. Not thread-safe.
class TokenGuide {
 public:
  using Ids = std::vector<std::int32_t>;

  // Throws InputError as ByteAutomaton does.
  TokenGuide(const std::string& pattern, std::shared_ptr<const GuideTokens> tokens,
             Ids end_of_turn_ids);

  struct State {
    ByteAutomaton::State automaton = 0;
    bool is_first = true;
  };

  // The ids that may follow, rising; end-of-turn ids where the text matches as it is. Throws
  // InputError when there is none: the vocabulary cannot spell the rest.
  std::shared_ptr<const Ids> allowed(const State& state);
  // After an allowed id that ends no turn.
  State advance(const State& state, std::int32_t id);

 private:
  std::shared_ptr<const Ids> find_allowed(const State& state);
  bool ends_turn(std::int32_t id) const;

  ByteAutomaton automaton_;
  std::shared_ptr<const GuideTokens> tokens_;
  Ids end_of_turn_ids_;
  std::unordered_map<std::int64_t, std::shared_ptr<const Ids>> known_;
  std::size_t known_bytes_ = 0;
};

}  // namespace aurum::rollout
