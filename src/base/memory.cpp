#include "base/memory.h"

#include <fstream>
#include <string>

namespace aurum {

std::uint64_t available_memory_bytes() {
  std::ifstream stream("/proc/meminfo");
  std::string name;
  std::uint64_t kibibytes = 0;
  for (std::string rest; stream >> name >> kibibytes; std::getline(stream, rest)) {
    if (name == "MemAvailable:") return kibibytes * 1024;
  }
  return 0;
}

}  // namespace aurum
