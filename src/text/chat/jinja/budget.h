#pragma once

#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>

namespace aurum::text::jinja {

// What a template does wrong while it renders; render() adds the template's name and line.
class RenderError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

[[noreturn]] void fail(const std::string& what);

// What one rendering may use. Both grow with the request, so that long conversations fit while a
// template of a few lines cannot take the machine.
struct Limits {
  std::size_t memory_bytes = 14'000'000;  // of all values alive and the output together
  std::int64_t work = 32'000'000;         // bytes read and written, and kStepCost for each node
};

// Counts what the rendering on this thread uses. Values charge themselves to the budget that is
// current when they are made, so no function can forget to; values made while none is current (a
// template's literals) are free. Budgets nest like scopes.
class Budget {
 public:
  static constexpr std::int64_t kStepCost = 64;  // about the bytes moved in the time of a step

  explicit Budget(Limits limits);
  ~Budget();
  Budget(const Budget&) = delete;
  Budget& operator=(const Budget&) = delete;

  static Budget* current();

  void take(std::size_t bytes);
  void give_back(std::size_t bytes) { used_ -= bytes; }
  void check(std::size_t bytes) const;
  void work(std::int64_t amount);

 private:
  Limits limits_;
  std::size_t used_ = 0;
  std::int64_t worked_ = 0;
  Budget* outer_;
};

// Throws RenderError unless `bytes` more would fit: call it before building something whose size a
// template chooses.
void check_memory(std::size_t bytes);
void check_memory(std::size_t count, std::size_t bytes_each);

// Counts one step, or the reading or writing of `bytes`.
void count_step();
void count_bytes(std::size_t bytes);

// Memory that an object holds, returned when it dies.
class MemoryCharge {
 public:
  explicit MemoryCharge(std::size_t bytes);
  ~MemoryCharge();
  MemoryCharge(const MemoryCharge&) = delete;
  MemoryCharge& operator=(const MemoryCharge&) = delete;

  void grow(std::size_t bytes);
  void shrink(std::size_t bytes);

 private:
  Budget* budget_;
  std::size_t bytes_ = 0;
};

}  // namespace aurum::text::jinja
