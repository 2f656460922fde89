#pragma once

#include <string>

#include "text/chat/chat_template.h"

// What transformers does with a conversation before and after the template sees it.
namespace aurum::text {

// Throws InputError for a request that apply_chat_template refuses.
void check_request(const RenderRequest& request);

// Drops the keys whose value is null, and shows a reasoning text that is passed as
// reasoning_content, thinking or reasoning under the first two names.
OrderedJson prepare_messages(const OrderedJson& messages);

// Appends a marker to the text of the last message (its last text block, if the content is a list)
// and returns that text without it. Throws InputError when there is none, or when `source` never
// mentions the content of messages.
std::string mark_final_message(OrderedJson& messages, const std::string& source);

// Cuts the rendered text where the marker stands. Throws InputError when the template left out the
// marker or the text.
std::string cut_after_final_message(std::string rendered, const std::string& final_text);

}  // namespace aurum::text
