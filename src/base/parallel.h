#pragma once

#include <cstdint>
#include <functional>

namespace aurum {

// Sets how many threads the parallel loops of this program use; libtorch shares the same OpenMP
// runtime. 0 means one per core. Call once, before any parallel work.
void set_num_threads(int num_threads);
int num_threads();

// Runs body(begin, end) over disjoint ranges that cover [0, count), one range per thread, each at
// least `grain` long; on the calling thread alone when there is not enough work, or inside another
// parallel loop. The ranges depend on count, grain and the number of threads only. The first
// exception thrown by a body is rethrown on the calling thread.
void parallel_for(std::int64_t count, std::int64_t grain,
                  const std::function<void(std::int64_t begin, std::int64_t end)>& body);

// Runs body(index) for every index in [0, count), handing out one index at a time: for items of
// uneven cost. Same rules for exceptions and nesting.
void parallel_for_each(std::int64_t count, const std::function<void(std::int64_t index)>& body);

}  // namespace aurum
