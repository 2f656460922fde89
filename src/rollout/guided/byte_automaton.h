#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string_view>
#include <vector>

namespace aurum::rollout {

// Reads a text byte by byte and tells whether a regular expression can still match all of it. The
// expression becomes a nondeterministic automaton over UTF-8 (Thompson's construction) whose
// subsets become states of a deterministic one when they are first reached (re2's dfa.cc explains
// the idea). States from which no match can be reached do not exist, so a state other than kDead is
// always a promise. Not thread-safe.
class ByteAutomaton {
 public:
  using State = std::int32_t;
  static constexpr State kDead = -1;

  // Throws InputError for what parse_regex() refuses, for an expression that is too large, and for
  // one that matches nothing.
  explicit ByteAutomaton(std::string_view pattern);

  State start() const { return 0; }
  // Throws InputError when the states would take too much memory.
  State next(State state, std::uint8_t byte);
  bool accepts(State state) const { return states_[static_cast<std::size_t>(state)].accepts; }

 private:
  friend class AutomatonBuilder;

  // A node that reads one byte in [low, high], or goes on without one.
  struct Node {
    enum class Kind : std::uint8_t { kByte, kSplit, kTextBegin, kTextEnd, kMatch };
    Kind kind = Kind::kMatch;
    std::uint8_t low = 1, high = 0;
    std::int32_t next = -1, other = -1;
    bool lives = false;     // behind a first byte, a match can be reached
    bool can_stop = false;  // the same without another byte
  };
  struct DfaState {
    std::vector<std::int32_t> nodes;  // kByte, rising
    bool accepts = false;
    std::vector<State> next;  // by byte class; kUnknown until it is asked for
  };
  static constexpr State kUnknown = -2;

  void mark_living_nodes();
  void find_byte_classes();
  State find_state(const std::vector<std::int32_t>& begin, bool is_text_begin);
  void close(std::int32_t node, bool is_text_begin, bool is_text_end,
             std::vector<std::int32_t>& bytes, bool& accepts);

  std::vector<Node> nodes_;
  std::int32_t start_node_ = -1;
  std::array<std::uint16_t, 256> byte_class_{};
  std::size_t num_classes_ = 0;
  std::vector<DfaState> states_;
  std::size_t num_kept_nodes_ = 0;  // in all states
  std::map<std::pair<std::vector<std::int32_t>, bool>, State> known_;
  std::vector<std::uint32_t> visited_;  // by node: the visit that last saw it
  std::uint32_t visit_ = 0;
};

}  // namespace aurum::rollout
