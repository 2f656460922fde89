#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "data/example.h"
#include "loss/distillation_loss.h"
#include "rollout/rollout_source.h"
#include "text/chat/chat_template.h"
#include "text/tokenizer/tokenizer.h"

namespace aurum::train {

// A tokenizer with the chat template that belongs to it (none for base models).
struct TextSide {
  std::shared_ptr<const text::Tokenizer> tokenizer;
  std::shared_ptr<const text::ChatTemplate> chat_template;  // null: plain rows only

  // The id that closes a turn; throws InputError for a tokenizer without one.
  text::TokenId end_of_turn() const;
  // Prompt text with the generation prompt. InputError for a chat row without a template.
  std::string render_prompt(const data::Example& example) const;
  std::string render_full(const data::Example& example) const;
  bool adds_special_tokens(const data::Example& example) const { return !example.is_chat(); }
};

struct RowLimits {
  std::int64_t model_max_length = 0;  // 0 = no limit
  std::int64_t max_completion_length = 128;
};

// Turns examples and rollouts into what the two models read and the loss compares.
class RowBuilder {
 public:
  RowBuilder(TextSide student, TextSide teacher, RowLimits limits,
             bool teacher_reads_student_prompt);

  // A row with the given answer; nullopt when nothing is left of its prompt or completion. Free
  // text needs no prompt: where the tokenizer adds no BOS its first token has no predictor.
  std::optional<loss::Row> from_answer(const data::Example& example) const;
  // The prompt of a rollout: its end, as much as leaves room for the completion.
  std::vector<std::int32_t> rollout_prompt(const data::Example& example) const;
  // The prompt as the teacher reads it, for an answer of its own.
  std::vector<std::int32_t> teacher_prompt(const data::Example& example) const;
  // The student's row with an answer that the teacher gave; the teacher's side stays empty.
  loss::Row from_teacher_answer(const data::Example& example, const rollout::Rollout& answer) const;
  loss::Row from_rollout(const data::Example& example, const std::vector<std::int32_t>& prompt_ids,
                         const rollout::Rollout& rollout) const;

  const TextSide& student() const { return student_; }
  const TextSide& teacher() const { return teacher_; }

 private:
  // `reader`'s own tokens of a completion, behind a prompt.
  static loss::RowSide answered(const TextSide& reader, std::vector<std::int32_t> prompt,
                                const std::string& completion, bool ends_with_eos);

  TextSide student_, teacher_;
  RowLimits limits_;
  bool teacher_reads_student_prompt_;
};

}  // namespace aurum::train
