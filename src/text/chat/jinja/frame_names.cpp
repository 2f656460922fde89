// The rules are those of Symbols and FrameSymbolVisitor in jinja2/idtracking.py.
#include "text/chat/jinja/frame_names.h"

namespace aurum::text::jinja {

namespace {

bool is_mentioned_around(const FrameNames& frame, const std::string& name) {
  for (const FrameNames* outer = frame.parent; outer != nullptr; outer = outer->parent) {
    if (outer->mentioned.contains(name)) return true;
  }
  return false;
}

}  // namespace

std::shared_ptr<FrameNames> NameTracker::make_frame() {
  frames_.push_back(std::make_shared<FrameNames>());
  frames_.back()->parent = current_;
  return frames_.back();
}

void NameTracker::assign(const std::string& name) {
  const bool is_first = current_->mentioned.insert(name).second;
  if (is_first && num_branches_ == 0) current_->unset.push_back(name);
}

void NameTracker::finish() {
  for (const auto& frame : frames_) {
    std::erase_if(frame->unset,
                  [&](const std::string& name) { return is_mentioned_around(*frame, name); });
  }
}

NameTracker::Inside::Inside(NameTracker& tracker, FrameNames& frame)
    : tracker_(tracker), outer_(tracker.current_), outer_branches_(tracker.num_branches_) {
  tracker_.current_ = &frame;
  tracker_.num_branches_ = 0;
}

NameTracker::Inside::~Inside() {
  tracker_.current_ = outer_;
  tracker_.num_branches_ = outer_branches_;
}

}  // namespace aurum::text::jinja
