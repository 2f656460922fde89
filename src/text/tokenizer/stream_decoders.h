#pragma once

#include <memory>

#include "text/tokenizer/pipeline_tokenizer.h"

namespace aurum::text {

// A stream decoder whose output, put together, equals `tokenizer.decode` of all ids. `tokenizer`
// must outlive it.
std::unique_ptr<StreamDecoder> make_stream_decoder_for(const PipelineTokenizer& tokenizer,
                                                       bool skip_special);

}  // namespace aurum::text
