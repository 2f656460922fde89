#pragma once

#include <string>

namespace aurum::report {

// "1:02:03 left" or "4:05 left".
std::string describe_time_left(double seconds);

}  // namespace aurum::report
