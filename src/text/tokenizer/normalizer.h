#pragma once

#include <memory>

#include "text/tokenizer/json_reader.h"
#include "text/unicode/mapped_text.h"

namespace aurum::text {

// One step of, or the whole, "normalizer" of a tokenizer file.
class Normalizer {
 public:
  virtual ~Normalizer() = default;
  virtual MappedText apply(MappedText text) const = 0;
};

// Null for a null `object`. Throws FormatError for kinds that are not supported.
std::unique_ptr<Normalizer> make_normalizer(const Json& object, const JsonPlace& place);

}  // namespace aurum::text
