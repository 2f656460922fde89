#include "base/parallel.h"

#include <algorithm>
#include <atomic>
#include <exception>
#include <mutex>

#include <omp.h>
#ifdef __SANITIZE_THREAD__
#include <sanitizer/tsan_interface.h>
#endif

namespace aurum {

void set_num_threads(int num_threads) {
  omp_set_num_threads(num_threads > 0 ? num_threads : omp_get_num_procs());
}

int num_threads() { return omp_get_max_threads(); }

namespace {

// Keeps the first exception of a parallel region, to throw it where the region was opened.
class FirstException {
 public:
  template <typename Function>
  void guard(Function&& function) {
    try {
      function();
    } catch (...) {
      const std::lock_guard lock(mutex_);
      if (!exception_) exception_ = std::current_exception();
    }
  }
  void rethrow() const {
    if (exception_) std::rethrow_exception(exception_);
  }

 private:
  std::mutex mutex_;
  std::exception_ptr exception_;
};

// ThreadSanitizer does not see how libgomp starts and joins threads. These two tell it that what
// came before one thread's release() comes before what follows another's acquire().
#ifdef __SANITIZE_THREAD__
char order;
void release() { __tsan_release(&order); }
void acquire() { __tsan_acquire(&order); }
#else
void release() {}
void acquire() {}
#endif

// Runs work() on each of several threads at once, and waits for all. Its own variables reach the
// threads behind release(), so ThreadSanitizer must leave out this function (but not the work).
[[gnu::no_sanitize("thread")]] void run_team(int threads, const std::function<void()>& work) {
  FirstException first;
  release();
#pragma omp parallel num_threads(threads)
  {
    acquire();
    first.guard(work);
    release();
  }
  acquire();
  first.rethrow();
}

}  // namespace

void parallel_for(std::int64_t count, std::int64_t grain,
                  const std::function<void(std::int64_t, std::int64_t)>& body) {
  if (count <= 0) return;
  const std::int64_t most =
      (count + std::max<std::int64_t>(grain, 1) - 1) / std::max<std::int64_t>(grain, 1);
  const auto threads = static_cast<int>(std::min<std::int64_t>(omp_get_max_threads(), most));
  if (threads <= 1 || omp_in_parallel()) {
    body(0, count);
    return;
  }
  run_team(threads, [&] {
    const std::int64_t team = omp_get_num_threads();
    const std::int64_t share = (count + team - 1) / team;
    const std::int64_t begin = omp_get_thread_num() * share;
    const std::int64_t end = std::min(count, begin + share);
    if (begin < end) body(begin, end);
  });
}

void parallel_for_each(std::int64_t count, const std::function<void(std::int64_t)>& body) {
  if (count <= 0) return;
  const auto threads = static_cast<int>(std::min<std::int64_t>(omp_get_max_threads(), count));
  if (threads <= 1 || omp_in_parallel()) {
    for (std::int64_t index = 0; index < count; ++index) body(index);
    return;
  }
  std::atomic<std::int64_t> next{0};
  run_team(threads, [&] {
    for (std::int64_t index = next++; index < count; index = next++) body(index);
  });
}

}  // namespace aurum
