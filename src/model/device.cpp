#include "model/device.h"

#include <charconv>

#include <dlfcn.h>

#include <ATen/ATen.h>
#include <ATen/Context.h>

#include "base/error.h"

namespace aurum::model {

namespace {

std::int64_t cuda_index(const std::string& device_map) {
  if (device_map == "cuda") return 0;
  constexpr std::string_view kPrefix = "cuda:";
  const std::string_view digits =
      std::string_view(device_map)
          .substr(device_map.starts_with(kPrefix) ? kPrefix.size() : device_map.size());
  std::int64_t index = -1;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), index);
  if (digits.empty() || error != std::errc() || end != digits.data() + digits.size() || index < 0) {
    throw InputError(fmt::format(
        "\"{}\" is no place for a whole model: write auto, cpu, cuda or cuda:N", device_map));
  }
  return index;
}

// A libtorch for CUDA has that in a library of its own, which asks for much of CUDA's; it is loaded
// only for who wants a device, and before ATen first asks for one. Returns why it cannot be loaded.
std::string load_cuda() {
  static const std::string kReason = [] {
    const bool is_loaded = dlopen("libtorch_cuda.so", RTLD_NOW | RTLD_GLOBAL) != nullptr;
    return std::string(is_loaded ? "" : dlerror());
  }();
  return kReason;
}

}  // namespace

std::string compute_device(const std::string& device_map) {
  if (device_map == "cpu") return "cpu";
  const std::string reason = load_cuda();
  const std::int64_t num_devices = at::hasCUDA() ? at::getNumGPUs() : 0;
  if (device_map == "auto") return num_devices > 0 ? "cuda:0" : "cpu";
  const std::int64_t index = cuda_index(device_map);
  if (index >= num_devices) {
    throw InputError(fmt::format(
        "\"{}\" is not there: this libtorch sees {} CUDA devices{}; write auto or cpu, or build with "
        "a libtorch for CUDA (see README.md)",
        device_map, num_devices, reason.empty() ? "" : fmt::format(" ({})", reason)));
  }
  return fmt::format("cuda:{}", index);
}

}  // namespace aurum::model
