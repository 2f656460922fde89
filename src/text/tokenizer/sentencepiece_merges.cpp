#include <algorithm>
#include <cmath>
#include <string_view>
#include <tuple>
#include <unordered_map>

#include "base/error.h"
#include "text/tokenizer/gguf_tokens.h"
#include "text/unicode/utf8.h"

namespace aurum::text {
namespace {

using TokenIds = std::unordered_map<std::string_view, TokenId>;

// A token put together at the byte `split`.
struct Merge {
  double score;
  std::uint32_t left_chars, right_chars;
  TokenId left, right, id;
  std::uint32_t split;
};

// User-defined tokens (runs of blanks) come before all others, whatever their score says.
double score_of(const GgufVocabulary& v, std::size_t id) {
  constexpr double kAboveScores = 1e12;
  if (!std::isfinite(v.scores[id])) {
    throw FormatError(fmt::format("{}: tokenizer.ggml.scores[{}] is not a number", v.source, id));
  }
  return token_type(v, id) == kUserDefined ? kAboveScores - static_cast<double>(id) : v.scores[id];
}

// Appends every way to put the token together, ordered by the ids of its halves.
void push_merges(std::string_view token, TokenId id, double score, const TokenIds& ids,
                 std::vector<Merge>& out) {
  const std::size_t first = out.size();
  const auto chars = static_cast<std::uint32_t>(count_code_points(token));
  std::uint32_t left_chars = 1;
  for (std::size_t p = utf8_length(token[0]); p < token.size(); p += utf8_length(token[p])) {
    const auto left = ids.find(token.substr(0, p)), right = ids.find(token.substr(p));
    if (left != ids.end() && right != ids.end()) {
      out.push_back({score, left_chars, chars - left_chars, left->second, right->second, id,
                     static_cast<std::uint32_t>(p)});
    }
    ++left_chars;
  }
  std::sort(out.begin() + static_cast<std::ptrdiff_t>(first), out.end(),
            [](const Merge& a, const Merge& b) {
              return std::tie(a.left, a.right) < std::tie(b.left, b.right);
            });
}

}  // namespace

// A merge for every way to put a token together, the best score first, gives the tokens that
// SentencePiece gives; it is also how Hugging Face converts such files.
std::vector<std::pair<std::string, std::string>> merges_from_scores(
    const GgufVocabulary& v, const std::vector<std::string>& vocabulary) {
  if (v.scores.size() != v.tokens.size()) {
    throw FormatError(fmt::format("{}: tokenizer.ggml.scores has {} entries for {} tokens",
                                  v.source, v.scores.size(), v.tokens.size()));
  }
  TokenIds ids;
  ids.reserve(vocabulary.size());
  for (std::size_t id = 0; id < vocabulary.size(); ++id) {
    if (!vocabulary[id].empty()) ids.emplace(vocabulary[id], static_cast<TokenId>(id));
  }
  std::vector<Merge> merges;
  for (std::size_t id = 0; id < vocabulary.size(); ++id) {
    const int type = token_type(v, id);
    if (vocabulary[id].empty() || (type != kNormal && type != kUserDefined)) continue;
    push_merges(vocabulary[id], static_cast<TokenId>(id), score_of(v, id), ids, merges);
  }
  std::stable_sort(merges.begin(), merges.end(), [](const Merge& a, const Merge& b) {
    return std::tie(a.score, a.left_chars, a.right_chars) >
           std::tie(b.score, b.left_chars, b.right_chars);
  });
  std::vector<std::pair<std::string, std::string>> out;
  out.reserve(merges.size());
  for (const Merge& merge : merges) {
    const std::string& token = vocabulary[static_cast<std::size_t>(merge.id)];
    out.emplace_back(token.substr(0, merge.split), token.substr(merge.split));
  }
  return out;
}

}  // namespace aurum::text
