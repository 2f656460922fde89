#include "train/matched_vocabulary.h"

#include <algorithm>
#include <string>
#include <unordered_map>

namespace aurum::train {

namespace {

// Bytes of a token, with a leading mark that keeps special tokens apart from ordinary ones.
using Table = std::unordered_map<std::string, text::TokenId>;

// The id that represents each byte string. Lower ids come first, so a later id only replaces a
// byte token by an ordinary one.
Table representatives(const text::Tokenizer& tokenizer, text::TokenId end_of_turn) {
  Table table;
  for (text::TokenId id = 0; id < tokenizer.vocab_size(); ++id) {
    const std::string_view bytes = tokenizer.token_bytes(id);
    if (bytes.empty() || id == end_of_turn) continue;
    std::string key(1, tokenizer.is_special(id) ? 's' : 't');
    key += bytes;
    const auto [entry, is_new] = table.emplace(std::move(key), id);
    if (!is_new && tokenizer.is_byte_token(entry->second) && !tokenizer.is_byte_token(id)) {
      entry->second = id;
    }
  }
  return table;
}

}  // namespace

loss::VocabularyPair match_vocabularies(const text::Tokenizer& student,
                                        const text::Tokenizer& teacher,
                                        text::TokenId student_end_of_turn,
                                        text::TokenId teacher_end_of_turn) {
  loss::VocabularyPair pair{.student_size = student.vocab_size(),
                            .teacher_size = teacher.vocab_size()};
  const Table of_teacher = representatives(teacher, teacher_end_of_turn);
  for (const auto& [bytes, student_id] : representatives(student, student_end_of_turn)) {
    const auto match = of_teacher.find(bytes);
    if (match != of_teacher.end()) pair.matched.emplace_back(student_id, match->second);
  }
  pair.matched.emplace_back(student_end_of_turn, teacher_end_of_turn);
  std::sort(pair.matched.begin(), pair.matched.end());
  return pair;
}

}  // namespace aurum::train
