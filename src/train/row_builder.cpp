#include "train/row_builder.h"

#include <algorithm>

#include "base/error.h"
#include "base/log.h"

namespace aurum::train {

namespace {

std::string render(const TextSide& side, const data::Example& example, bool with_completion) {
  if (!side.chat_template) {
    throw InputError(example.source +
                     ": is a chat row, but the model has no chat template. Use rows with "
                     "\"prompt\" and \"completion\" strings, or set model.chat_template.");
  }
  text::RenderRequest request{.messages = example.prompt_messages,
                              .tools = example.tools,
                              .add_generation_prompt = !with_completion,
                              .special_tokens = side.tokenizer->special_tokens().by_name};
  if (with_completion) {
    for (const auto& message : example.completion_messages) request.messages.push_back(message);
  }
  return side.chat_template->render(request).text;
}

std::size_t common_prefix(std::string_view a, std::string_view b) {
  const auto [end, other] = std::mismatch(a.begin(), a.end(), b.begin(), b.end());
  return static_cast<std::size_t>(end - a.begin());
}

// Appends a token to a side.
void append(loss::RowSide& side, std::int32_t id, bool is_completion, text::ByteSpan span) {
  side.ids.push_back(id);
  side.is_completion.push_back(is_completion);
  side.spans.push_back(span);
}

void drop_front(loss::RowSide& side, std::int64_t count) {
  side.ids.erase(side.ids.begin(), side.ids.begin() + count);
  side.is_completion.erase(side.is_completion.begin(), side.is_completion.begin() + count);
  side.spans.erase(side.spans.begin(), side.spans.begin() + count);
}

// Drops the oldest tokens beyond `limit`; 0 is no limit.
void keep_end(loss::RowSide& side, std::int64_t limit) {
  const auto size = static_cast<std::int64_t>(side.ids.size());
  if (limit > 0 && size > limit) drop_front(side, size - limit);
}

// After a cut into the completion: makes its first whole character byte 0 of spans and text, so
// that the teacher reads what the student reads.
void rebase(loss::RowSide& side, std::string& completion) {
  const auto is_inside_character = [&](std::int64_t begin) {
    const auto at = static_cast<std::size_t>(begin);
    return at < completion.size() && (static_cast<unsigned char>(completion[at]) & 0xC0) == 0x80;
  };
  while (!side.ids.empty() && is_inside_character(side.spans.front().begin)) {
    drop_front(side, 1);
  }
  if (side.ids.empty() || !side.is_completion.front()) return;
  const std::int64_t begin = side.spans.front().begin;
  for (text::ByteSpan& span : side.spans) span = {span.begin - begin, span.end - begin};
  completion.erase(0, static_cast<std::size_t>(begin));
}

bool is_end_of_turn(const text::Tokenizer& tokenizer, std::int32_t id) {
  const auto& ends = tokenizer.special_tokens().end_of_turn;
  return std::find(ends.begin(), ends.end(), id) != ends.end();
}

}  // namespace

text::TokenId TextSide::end_of_turn() const {
  const text::SpecialTokens& special = tokenizer->special_tokens();
  if (special.eos) return *special.eos;
  if (!special.end_of_turn.empty()) return special.end_of_turn.front();
  throw InputError("the tokenizer has no end-of-turn token: give it an eos_token");
}

std::string TextSide::render_prompt(const data::Example& example) const {
  return example.is_chat() ? render(*this, example, false) : example.prompt_text;
}

std::string TextSide::render_full(const data::Example& example) const {
  return example.is_chat() ? render(*this, example, true)
                           : example.prompt_text + example.completion_text;
}

RowBuilder::RowBuilder(TextSide student, TextSide teacher, RowLimits limits,
                       bool teacher_reads_student_prompt)
    : student_(std::move(student)),
      teacher_(std::move(teacher)),
      limits_(limits),
      teacher_reads_student_prompt_(teacher_reads_student_prompt) {}

std::optional<loss::Row> RowBuilder::from_answer(const data::Example& example) const {
  const std::string prompt = student_.render_prompt(example);
  const std::string full = student_.render_full(example);
  const auto boundary = static_cast<std::int64_t>(common_prefix(prompt, full));
  const text::Encoding encoding =
      student_.tokenizer->encode(full, student_.adds_special_tokens(example));

  loss::RowSide side;
  std::int64_t completion_end = static_cast<std::int64_t>(full.size());
  for (std::size_t i = 0; i < encoding.ids.size(); ++i) {
    const text::ByteSpan span = encoding.spans[i];
    const bool in_completion = span.end > boundary;
    if (in_completion && is_end_of_turn(*student_.tokenizer, encoding.ids[i])) {
      completion_end = span.begin;
      append(side, encoding.ids[i], true, {});
      side.ends_with_eos = true;
      break;  // Template text behind the end of turn is no part of the answer.
    }
    if (in_completion && span.begin < boundary) {
      log_warning("{}: a token covers the border of prompt and completion; it counts as completion",
                  example.source);
    }
    append(side, encoding.ids[i], in_completion,
           {std::max<std::int64_t>(0, span.begin - boundary),
            std::max<std::int64_t>(0, span.end - boundary)});
  }
  if (!side.ends_with_eos && !example.is_chat()) {
    append(side, student_.end_of_turn(), true, {});
    side.ends_with_eos = true;
  }
  std::string completion = full.substr(boundary, completion_end - boundary);
  const auto length = static_cast<std::int64_t>(completion.size());
  if (side.ends_with_eos) side.spans.back() = {length, length};

  keep_end(side, limits_.model_max_length);
  if (example.is_free_text) {
    rebase(side, completion);
  } else if (side.ids.empty() || side.is_completion.front()) {
    return std::nullopt;  // no prompt is left
  }
  if (completion.empty()) return std::nullopt;
  loss::Row row{.student = std::move(side)};
  row.teacher = answered(teacher_, teacher_prompt(example), completion, row.student.ends_with_eos);
  return row;
}

std::vector<std::int32_t> RowBuilder::rollout_prompt(const data::Example& example) const {
  std::vector<std::int32_t> ids =
      student_.tokenizer
          ->encode(student_.render_prompt(example), student_.adds_special_tokens(example))
          .ids;
  if (limits_.model_max_length > 0) {
    const std::int64_t budget =
        std::max<std::int64_t>(1, limits_.model_max_length - limits_.max_completion_length);
    const auto size = static_cast<std::int64_t>(ids.size());
    if (size > budget) ids.erase(ids.begin(), ids.begin() + (size - budget));
  }
  return ids;
}

loss::Row RowBuilder::from_rollout(const data::Example& example,
                                   const std::vector<std::int32_t>& prompt_ids,
                                   const rollout::Rollout& rollout) const {
  const bool ends_with_eos = rollout.finish_reason == rollout::FinishReason::kEndOfTurn;
  std::vector<std::int32_t> content = rollout.completion_ids;
  if (ends_with_eos) content.pop_back();
  const text::DecodedSpans decoded = student_.tokenizer->spans_of_ids(content);

  loss::RowSide side;
  for (const std::int32_t id : prompt_ids) append(side, id, false, {});
  for (std::size_t i = 0; i < content.size(); ++i) append(side, content[i], true, decoded.spans[i]);
  if (ends_with_eos) {
    const auto length = static_cast<std::int64_t>(decoded.text.size());
    append(side, rollout.completion_ids.back(), true, {length, length});
    side.ends_with_eos = true;
  }
  loss::Row row{.student = std::move(side)};
  row.teacher = answered(teacher_, teacher_prompt(example), decoded.text, ends_with_eos);
  return row;
}

std::vector<std::int32_t> RowBuilder::teacher_prompt(const data::Example& example) const {
  const TextSide& prompt_side = teacher_reads_student_prompt_ ? student_ : teacher_;
  return teacher_.tokenizer
      ->encode(prompt_side.render_prompt(example), teacher_.adds_special_tokens(example))
      .ids;
}

loss::Row RowBuilder::from_teacher_answer(const data::Example& example,
                                          const rollout::Rollout& answer) const {
  const bool ends_with_eos = answer.finish_reason == rollout::FinishReason::kEndOfTurn;
  std::vector<std::int32_t> content = answer.completion_ids;
  if (ends_with_eos) content.pop_back();
  const std::string completion = teacher_.tokenizer->spans_of_ids(content).text;
  loss::Row row{.student = answered(student_, rollout_prompt(example), completion, ends_with_eos)};
  keep_end(row.student, limits_.model_max_length);
  return row;
}

loss::RowSide RowBuilder::answered(const TextSide& reader, std::vector<std::int32_t> prompt,
                                   const std::string& completion, bool ends_with_eos) {
  loss::RowSide side;
  for (const std::int32_t id : prompt) append(side, id, false, {});
  const text::Encoding answer = reader.tokenizer->encode(completion, false);
  for (std::size_t i = 0; i < answer.ids.size(); ++i) {
    append(side, answer.ids[i], true, answer.spans[i]);
  }
  if (ends_with_eos) {
    const auto length = static_cast<std::int64_t>(completion.size());
    append(side, reader.end_of_turn(), true, {length, length});
    side.ends_with_eos = true;
  }
  return side;
}

}  // namespace aurum::train
