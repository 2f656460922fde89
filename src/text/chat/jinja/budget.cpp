#include "text/chat/jinja/budget.h"

#include <limits>

namespace aurum::text::jinja {

namespace {

thread_local Budget* current_budget = nullptr;

}  // namespace

void fail(const std::string& what) { throw RenderError(what); }

Budget::Budget(Limits limits) : limits_(limits), outer_(current_budget) { current_budget = this; }

Budget::~Budget() { current_budget = outer_; }

Budget* Budget::current() { return current_budget; }

void Budget::check(std::size_t bytes) const {
  if (bytes > limits_.memory_bytes - used_) fail("the template uses too much memory");
}

void Budget::take(std::size_t bytes) {
  check(bytes);
  used_ += bytes;
}

void Budget::work(std::int64_t amount) {
  worked_ += amount;
  if (worked_ > limits_.work) fail("the template runs too long");
}

void check_memory(std::size_t bytes) {
  if (current_budget != nullptr) current_budget->check(bytes);
}

void check_memory(std::size_t count, std::size_t bytes_each) {
  if (bytes_each != 0 && count > std::numeric_limits<std::size_t>::max() / bytes_each) {
    fail("the template uses too much memory");
  }
  check_memory(count * bytes_each);
}

void count_step() {
  if (current_budget != nullptr) current_budget->work(Budget::kStepCost);
}

void count_bytes(std::size_t bytes) {
  if (current_budget != nullptr) current_budget->work(static_cast<std::int64_t>(bytes));
}

MemoryCharge::MemoryCharge(std::size_t bytes) : budget_(current_budget) { grow(bytes); }

MemoryCharge::~MemoryCharge() {
  if (budget_ != nullptr) budget_->give_back(bytes_);
}

void MemoryCharge::grow(std::size_t bytes) {
  if (budget_ == nullptr) return;
  budget_->take(bytes);
  bytes_ += bytes;
}

void MemoryCharge::shrink(std::size_t bytes) {
  if (budget_ == nullptr) return;
  budget_->give_back(bytes);
  bytes_ -= bytes;
}

}  // namespace aurum::text::jinja
