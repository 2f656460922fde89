#include "model/device.h"

#include <charconv>

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

}  // namespace

std::string compute_device(const std::string& device_map) {
  const std::int64_t num_devices = at::hasCUDA() ? at::getNumGPUs() : 0;
  if (device_map == "cpu") return "cpu";
  if (device_map == "auto") return num_devices > 0 ? "cuda:0" : "cpu";
  const std::int64_t index = cuda_index(device_map);
  if (index >= num_devices) {
    throw InputError(fmt::format(
        "\"{}\" is not there: this libtorch sees {} CUDA devices; write auto or cpu, or build with "
        "a libtorch for CUDA (see README.md)",
        device_map, num_devices));
  }
  return fmt::format("cuda:{}", index);
}

}  // namespace aurum::model
