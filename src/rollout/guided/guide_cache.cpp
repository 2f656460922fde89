#include "rollout/guided/guide_cache.h"

#include <utility>

#include "base/error.h"

namespace aurum::rollout {

namespace {

constexpr std::size_t kMostGuides = 16;

}  // namespace

GuideCache::GuideCache(std::shared_ptr<const text::Tokenizer> tokenizer,
                       std::vector<std::int32_t> end_of_turn_ids)
    : tokenizer_(std::move(tokenizer)), end_of_turn_ids_(std::move(end_of_turn_ids)) {}

TokenGuide* GuideCache::find(const std::string& regex) {
  if (regex.empty()) return nullptr;
  const auto found = guides_.find(regex);
  if (found != guides_.end()) return found->second.get();
  AURUM_CHECK(tokenizer_ != nullptr, "this source was made without a tokenizer");
  if (!tokens_) tokens_ = std::make_shared<const GuideTokens>(*tokenizer_);
  auto guide = std::make_unique<TokenGuide>(regex, tokens_, end_of_turn_ids_);
  return (guides_[regex] = std::move(guide)).get();
}

void GuideCache::trim() {
  if (guides_.size() > kMostGuides) guides_.clear();
}

}  // namespace aurum::rollout
