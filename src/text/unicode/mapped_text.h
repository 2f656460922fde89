#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace aurum::text {

// A text that was changed step by step, and where each of its bytes came from. A position strictly
// inside a changed stretch maps to the start of what the stretch came from, so that the token that
// finishes a changed character carries all of it.
class MappedText {
 public:
  // Starts unchanged; `original` must outlive this object.
  explicit MappedText(std::string_view original) : original_(original) {}

  std::string_view text() const { return changed_ ? std::string_view(storage_) : original_; }
  // Byte of the original text at which byte `position` (0..size) starts.
  std::uint32_t origin(std::size_t position) const {
    return changed_ ? origin_[position] : static_cast<std::uint32_t>(position);
  }
  // The part [begin, end), still mapped to the same original text.
  MappedText slice(std::size_t begin, std::size_t end) const;

 private:
  friend class MappedTextBuilder;
  std::string_view original_;
  bool changed_ = false;
  std::string storage_;
  std::vector<std::uint32_t> origin_;  // size() + 1 entries when changed
};

// Writes the next state of a MappedText from left to right.
class MappedTextBuilder {
 public:
  explicit MappedTextBuilder(const MappedText& source);
  // Copies the source's bytes up to `end` unchanged.
  void keep_until(std::size_t end);
  // Replaces the source's bytes up to `end` by `replacement` (either may be empty).
  void replace_until(std::size_t end, std::string_view replacement);
  std::size_t size() const { return result_.storage_.size(); }
  std::size_t consumed() const { return position_; }
  // Keeps the rest and returns the result.
  MappedText finish();

 private:
  const MappedText& source_;
  MappedText result_;
  std::size_t position_ = 0;
};

}  // namespace aurum::text
