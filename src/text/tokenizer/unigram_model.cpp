#include "text/tokenizer/unigram_model.h"

#include <algorithm>
#include <limits>

#include "base/error.h"
#include "text/unicode/utf8.h"

namespace aurum::text {
namespace {

// How far an unknown character scores below the worst token.
constexpr double kUnknownPenalty = 10;

}  // namespace

UnigramModel::UnigramModel(const ModelDefinition& definition, const std::string& source)
    : source_(source), ids_(definition.vocabulary.size()), id_of_node_{-1} {
  const auto& unigram = std::get<UnigramDefinition>(definition.kind);
  scores_ = unigram.scores;
  unk_ = unigram.unk_id;
  byte_fallback_ = unigram.byte_fallback;
  double lowest = std::numeric_limits<double>::infinity();
  for (const double score : scores_) lowest = std::min(lowest, score);
  unk_score_ = lowest - kUnknownPenalty;
  for (std::size_t id = 0; id < definition.vocabulary.size(); ++id) {
    const std::string& token = definition.vocabulary[id];
    if (token.empty()) continue;
    ids_.set(token, static_cast<TokenId>(id));
    std::uint64_t node = 0;
    for (const char c : token) {
      const std::uint64_t key = node * 256 + static_cast<unsigned char>(c);
      if (const auto* next = edges_.find(key)) {
        node = *next;
      } else {
        node = id_of_node_.size();
        id_of_node_.push_back(-1);
        edges_.set(key, node);
      }
    }
    id_of_node_[node] = static_cast<TokenId>(id);
  }
}

std::optional<TokenId> UnigramModel::id_of(std::string_view token) const {
  return ids_.find(token);
}

// Shorter tokens are tried first and a later path must be strictly better, as in Hugging Face.
void UnigramModel::reach(std::string_view piece, std::vector<Node>& nodes) const {
  nodes.assign(piece.size() + 1, Node{});
  for (std::size_t begin = 0, width = 0; begin < piece.size(); begin += width) {
    width = utf8_length(piece[begin]);
    const double here = nodes[begin].score;
    const auto offer = [&](std::size_t end, double score, TokenId id) {
      Node& node = nodes[end];
      if (node.id < 0 || score > node.score) {
        node = {score, static_cast<std::uint32_t>(begin), id};
      }
    };
    bool has_single = false;
    std::uint64_t trie = 0;
    for (std::size_t end = begin; end < piece.size();) {
      const auto* next = edges_.find(trie * 256 + static_cast<unsigned char>(piece[end]));
      if (next == nullptr) break;
      trie = *next;
      ++end;
      const TokenId id = id_of_node_[trie];
      if (id < 0) continue;
      offer(end, here + scores_[static_cast<std::size_t>(id)], id);
      has_single = has_single || end == begin + width;
    }
    if (has_single) continue;
    if (!unk_) {
      throw InputError(fmt::format("{}: no token for the character {} and no unk_id", source_,
                                   piece.substr(begin, width)));
    }
    offer(begin + width, here + unk_score_, *unk_);
  }
}

void UnigramModel::push_unknown(std::string_view text, std::uint32_t begin,
                                std::vector<ModelToken>& out) const {
  // Unknown characters together may be a token although none of them is one.
  if (const auto id = ids_.find(text)) {
    out.push_back({*id, begin});
    return;
  }
  const std::size_t first = out.size();
  for (std::uint32_t i = 0; byte_fallback_ && i < text.size(); ++i) {
    const auto id = ids_.find(fmt::format("<0x{:02X}>", static_cast<unsigned char>(text[i])));
    if (!id) {
      out.resize(first);
      break;
    }
    out.push_back({*id, begin + i});
  }
  if (out.size() == first) out.push_back({*unk_, begin});
}

void UnigramModel::tokenize(std::string_view piece, std::uint32_t base,
                            std::vector<ModelToken>& out) const {
  thread_local std::vector<Node> nodes;
  thread_local std::vector<std::uint32_t> ends;
  reach(piece, nodes);
  ends.clear();
  for (auto end = static_cast<std::uint32_t>(piece.size()); end > 0; end = nodes[end].begin) {
    // Neighbouring unknown characters are one token.
    const bool fuses =
        unk_ && nodes[end].id == *unk_ && !ends.empty() && nodes[ends.back()].id == *unk_;
    if (fuses) {
      nodes[ends.back()].begin = nodes[end].begin;
    } else {
      ends.push_back(end);
    }
  }
  for (std::size_t i = ends.size(); i-- > 0;) {
    const Node& node = nodes[ends[i]];
    if (unk_ && node.id == *unk_) {
      push_unknown(piece.substr(node.begin, ends[i] - node.begin), base + node.begin, out);
    } else {
      out.push_back({node.id, base + node.begin});
    }
  }
}

}  // namespace aurum::text
