#pragma once

#include "loss/distillation_loss.h"
#include "text/tokenizer/tokenizer.h"

namespace aurum::train {

// Pairs the ids of two tokenizers that stand for the same bytes, one to one: an ordinary token
// beats a byte token, then the lowest id wins. Special tokens match special tokens of the same
// string only; besides, the two ids that end a turn are a pair. O(student + teacher).
loss::VocabularyPair match_vocabularies(const text::Tokenizer& student,
                                        const text::Tokenizer& teacher,
                                        text::TokenId student_end_of_turn,
                                        text::TokenId teacher_end_of_turn);

}  // namespace aurum::train
