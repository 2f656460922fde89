#pragma once

#include <string>

namespace aurum::model {

// The libtorch device that a `device_map` asks for: "cpu", "cuda", "cuda:1"; "auto" is the first
// CUDA device where this libtorch has one, else the CPU. Throws InputError for any other text and
// for a device that is not there.
std::string compute_device(const std::string& device_map);

}  // namespace aurum::model
