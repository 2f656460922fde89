#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "rollout/guided/token_guide.h"

namespace aurum::rollout {

// Guides by their regular expression, made when they are first asked for. Not thread-safe.
class GuideCache {
 public:
  // `tokenizer` may be null where no request has a regex.
  GuideCache(std::shared_ptr<const text::Tokenizer> tokenizer,
             std::vector<std::int32_t> end_of_turn_ids);

  // Null for an empty regex; valid until trim(). Throws InputError as TokenGuide does.
  TokenGuide* find(const std::string& regex);
  // Forgets all when there are many: whoever varies the expression must not fill the memory.
  void trim();

 private:
  std::shared_ptr<const text::Tokenizer> tokenizer_;
  std::vector<std::int32_t> end_of_turn_ids_;
  std::shared_ptr<const GuideTokens> tokens_;  // made with the first guide
  std::map<std::string, std::unique_ptr<TokenGuide>> guides_;
};

}  // namespace aurum::rollout
