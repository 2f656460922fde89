#include "rollout/guided/byte_automaton.h"

#include <algorithm>
#include <string>

#include "base/error.h"
#include "rollout/guided/regex_syntax.h"
#include "text/unicode/utf8.h"

namespace aurum::rollout {

namespace {

constexpr std::size_t kMostNodes = 50'000;
constexpr std::size_t kMostStates = 50'000;
constexpr std::size_t kMostKeptNodes = 4'000'000;  // of all states together

std::string utf8_of(char32_t c) {
  std::string bytes;
  text::append_code_point(c, bytes);
  return bytes;
}

// Calls `take` with pairs of equally long strings: the characters between two code points are those
// whose every byte lies between the strings' bytes at its place.
template <typename Take>
void for_byte_ranges(char32_t low, char32_t high, const Take& take) {
  for (const char32_t last : {char32_t{0x7F}, char32_t{0x7FF}, char32_t{0xFFFF}}) {
    if (low <= last && high > last) {  // encodings of two lengths
      for_byte_ranges(low, last, take);
      return for_byte_ranges(last + 1, high, take);
    }
  }
  for (int bits = 6; bits <= 18; bits += 6) {
    const char32_t tail = (char32_t{1} << bits) - 1;  // what the last bytes hold
    if ((low & ~tail) == (high & ~tail)) break;
    if ((low & tail) != 0) {
      for_byte_ranges(low, low | tail, take);
      return for_byte_ranges((low | tail) + 1, high, take);
    }
    if ((high & tail) != tail) {
      for_byte_ranges(low, (high & ~tail) - 1, take);
      return for_byte_ranges(high & ~tail, high, take);
    }
  }
  take(utf8_of(low), utf8_of(high));
}

}  // namespace

// Writes the nodes of an expression from its end to its begin.
class AutomatonBuilder {
 public:
  explicit AutomatonBuilder(ByteAutomaton& automaton) : nodes_(automaton.nodes_) {}

  // The first node of `regex` with `next` behind it.
  std::int32_t emit(const RegexNode& regex, std::int32_t next) {
    // Repetitions of nothing make no nodes, but take as long.
    if (++num_calls_ > kMostNodes) fail_as_too_large();
    switch (regex.kind) {
      case RegexNode::Kind::kSet:
        return emit_set(regex.set, next);
      case RegexNode::Kind::kRepeat:
        return emit_repeat(regex, next);
      case RegexNode::Kind::kTextBegin:
        return add({.kind = Kind::kTextBegin, .next = next});
      case RegexNode::Kind::kTextEnd:
        return add({.kind = Kind::kTextEnd, .next = next});
      case RegexNode::Kind::kChoice: {
        std::int32_t first = -1;
        for (const RegexNode& child : regex.children) first = either(emit(child, next), first);
        return first;
      }
      case RegexNode::Kind::kSequence:
        for (auto child = regex.children.rbegin(); child != regex.children.rend(); ++child) {
          next = emit(*child, next);
        }
        return next;
    }
    return next;
  }

  std::int32_t add_match() { return add({.kind = Kind::kMatch}); }

 private:
  using Node = ByteAutomaton::Node;
  using Kind = Node::Kind;

  [[noreturn]] static void fail_as_too_large() {
    throw InputError(
        fmt::format("is too large: more than {} states; use fewer repetitions", kMostNodes));
  }

  std::int32_t add(const Node& node) {
    if (nodes_.size() >= kMostNodes) fail_as_too_large();
    nodes_.push_back(node);
    return static_cast<std::int32_t>(nodes_.size()) - 1;
  }

  std::int32_t either(std::int32_t a, std::int32_t b) {
    if (b < 0) return a;
    return add({.kind = Kind::kSplit, .next = a, .other = b});
  }

  std::int32_t emit_set(const CodePointSet& set, std::int32_t next) {
    std::int32_t first = -1;
    for (const auto& [low, high] : set) {
      for_byte_ranges(low, high, [&](const std::string& from, const std::string& to) {
        std::int32_t at = next;
        for (std::size_t i = from.size(); i-- > 0;) {
          at = add({.kind = Kind::kByte,
                    .low = static_cast<std::uint8_t>(from[i]),
                    .high = static_cast<std::uint8_t>(to[i]),
                    .next = at});
        }
        first = either(at, first);
      });
    }
    if (first >= 0) return first;
    return add({.kind = Kind::kByte, .next = next});  // the empty set: no byte fits
  }

  std::int32_t emit_repeat(const RegexNode& regex, std::int32_t next) {
    const RegexNode& child = regex.children.front();
    std::int32_t at = next;
    if (regex.max == kUnlimited) {
      const std::int32_t loop = add({.kind = Kind::kSplit, .other = next});
      const std::int32_t body = emit(child, loop);
      nodes_[static_cast<std::size_t>(loop)].next = body;
      at = loop;
    }
    for (std::int64_t i = regex.min; i < regex.max; ++i) at = either(emit(child, at), next);
    for (std::int64_t i = 0; i < regex.min; ++i) at = emit(child, at);
    return at;
  }

  std::vector<Node>& nodes_;
  std::size_t num_calls_ = 0;
};

ByteAutomaton::ByteAutomaton(std::string_view pattern) {
  const RegexNode regex = parse_regex(pattern);
  AutomatonBuilder builder(*this);
  const std::int32_t match = builder.add_match();
  start_node_ = builder.emit(regex, match);
  mark_living_nodes();
  find_byte_classes();
  visited_.assign(nodes_.size(), 0);
  if (find_state({start_node_}, true) == kDead) throw InputError("matches no text at all");
}

// A fixed point: facts spread from the match backwards. Nodes stand behind what follows them but in
// loops, so a few passes do.
void ByteAutomaton::mark_living_nodes() {
  const auto at = [this](std::int32_t node) -> Node& {
    return nodes_[static_cast<std::size_t>(node)];
  };
  for (bool changed = true; changed;) {
    changed = false;
    for (Node& node : nodes_) {
      bool lives = node.kind == Node::Kind::kMatch, can_stop = lives;
      if (node.kind == Node::Kind::kByte) lives = node.low <= node.high && at(node.next).lives;
      if (node.kind == Node::Kind::kTextEnd) lives = can_stop = at(node.next).can_stop;
      if (node.kind == Node::Kind::kSplit) {
        lives = at(node.next).lives || at(node.other).lives;
        can_stop = at(node.next).can_stop || at(node.other).can_stop;
      }
      changed = changed || lives != node.lives || can_stop != node.can_stop;
      node.lives = lives;
      node.can_stop = can_stop;
    }
  }
}

// Bytes that every node treats alike share a class, so that states stay small.
void ByteAutomaton::find_byte_classes() {
  std::array<bool, 257> begins{};
  for (const Node& node : nodes_) {
    if (node.kind != Node::Kind::kByte) continue;
    begins[node.low] = begins[node.high + std::size_t{1}] = true;
  }
  std::uint16_t current = 0;
  for (std::size_t byte = 0; byte < 256; ++byte) {
    if (byte > 0 && begins[byte]) ++current;
    byte_class_[byte] = current;
  }
  num_classes_ = current + std::size_t{1};
}

// Collects what can be reached from `node` without reading.
void ByteAutomaton::close(std::int32_t node, bool is_text_begin, bool is_text_end,
                          std::vector<std::int32_t>& bytes, bool& accepts) {
  std::vector<std::int32_t> open = {node};
  while (!open.empty()) {
    const std::int32_t index = open.back();
    open.pop_back();
    std::uint32_t& seen = visited_[static_cast<std::size_t>(index)];
    if (seen == visit_) continue;
    seen = visit_;
    const Node& at = nodes_[static_cast<std::size_t>(index)];
    switch (at.kind) {
      case Node::Kind::kMatch:
        accepts = true;
        break;
      case Node::Kind::kByte:
        if (at.lives && !is_text_end) bytes.push_back(index);
        break;
      case Node::Kind::kSplit:
        open.push_back(at.next);
        open.push_back(at.other);
        break;
      case Node::Kind::kTextBegin:
        if (is_text_begin) open.push_back(at.next);
        break;
      case Node::Kind::kTextEnd:
        if (is_text_end) open.push_back(at.next);
        break;
    }
  }
}

ByteAutomaton::State ByteAutomaton::find_state(const std::vector<std::int32_t>& begin,
                                               bool is_text_begin) {
  std::vector<std::int32_t> bytes, none;
  bool accepts = false;
  for (const bool is_text_end : {false, true}) {
    ++visit_;
    for (const std::int32_t node : begin) {
      close(node, is_text_begin, is_text_end, is_text_end ? none : bytes, accepts);
    }
  }
  if (bytes.empty() && !accepts) return kDead;
  std::sort(bytes.begin(), bytes.end());
  const auto found = known_.find({bytes, accepts});
  if (found != known_.end()) return found->second;
  num_kept_nodes_ += bytes.size();
  if (states_.size() >= kMostStates || num_kept_nodes_ > kMostKeptNodes) {
    throw InputError(fmt::format(
        "needs too many states at once (beyond {}, with {} positions); use a simpler one",
        kMostStates, kMostKeptNodes));
  }
  const auto state = static_cast<State>(states_.size());
  states_.push_back({bytes, accepts, std::vector<State>(num_classes_, kUnknown)});
  known_.emplace(std::pair{std::move(bytes), accepts}, state);
  return state;
}

ByteAutomaton::State ByteAutomaton::next(State state, std::uint8_t byte) {
  const std::size_t index = static_cast<std::size_t>(state), cls = byte_class_[byte];
  if (states_[index].next[cls] != kUnknown) return states_[index].next[cls];
  std::vector<std::int32_t> begin;
  for (const std::int32_t node : states_[index].nodes) {
    const Node& at = nodes_[static_cast<std::size_t>(node)];
    if (byte >= at.low && byte <= at.high) begin.push_back(at.next);
  }
  const State found = begin.empty() ? kDead : find_state(begin, false);
  states_[index].next[cls] = found;
  return found;
}

}  // namespace aurum::rollout
