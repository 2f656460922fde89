#include "text/unicode/mapped_text.h"

namespace aurum::text {

MappedText MappedText::slice(std::size_t begin, std::size_t end) const {
  MappedText result(original_);
  result.changed_ = true;
  result.storage_ = text().substr(begin, end - begin);
  result.origin_.reserve(end - begin + 1);
  for (std::size_t i = begin; i <= end; ++i) result.origin_.push_back(origin(i));
  return result;
}

MappedTextBuilder::MappedTextBuilder(const MappedText& source)
    : source_(source), result_(source.original_) {
  result_.changed_ = true;
  result_.storage_.reserve(source.text().size() + 16);
  result_.origin_.reserve(source.text().size() + 17);
}

void MappedTextBuilder::keep_until(std::size_t end) {
  result_.storage_ += source_.text().substr(position_, end - position_);
  for (; position_ < end; ++position_) result_.origin_.push_back(source_.origin(position_));
}

void MappedTextBuilder::replace_until(std::size_t end, std::string_view replacement) {
  result_.storage_ += replacement;
  result_.origin_.insert(result_.origin_.end(), replacement.size(), source_.origin(position_));
  position_ = end;
}

MappedText MappedTextBuilder::finish() {
  keep_until(source_.text().size());
  result_.origin_.push_back(source_.origin(position_));
  return std::move(result_);
}

}  // namespace aurum::text
