#pragma once

#include <cstddef>
#include <cstdlib>
#include <memory>
#include <new>
#include <type_traits>

namespace aurum {

// Uninitialized memory that begins at a cache line, and at a large page where it is that large.
template <typename T>
class AlignedBuffer {
  static_assert(std::is_trivially_copyable_v<T>);

 public:
  AlignedBuffer() = default;
  // Throws std::bad_alloc.
  explicit AlignedBuffer(std::size_t size);

  // Makes room for `size` values; what was there is lost when it grows.
  void reserve(std::size_t size) {
    if (size > size_) *this = AlignedBuffer(size);
  }
  std::size_t size() const { return size_; }
  T* data() { return data_.get(); }
  const T* data() const { return data_.get(); }

 private:
  struct Free {
    void operator()(T* data) const { std::free(data); }
  };
  std::unique_ptr<T[], Free> data_;
  std::size_t size_ = 0;
};

// Memory for `bytes`, to be freed by std::free.
void* allocate_aligned(std::size_t bytes);

template <typename T>
AlignedBuffer<T>::AlignedBuffer(std::size_t size)
    : data_(static_cast<T*>(allocate_aligned(size * sizeof(T)))), size_(size) {}

}  // namespace aurum
