#pragma once

#include <cstdint>
#include <fstream>
#include <string>
#include <string_view>

#include "telemetry/step_metrics.h"

namespace aurum::telemetry {

// Writes scalars that TensorBoard draws: an event file of TFRecords, each a length, a payload and
// masked CRC-32C sums of both (tensorflow/core/lib/io/record_writer.h), the payload an Event
// message (tensorflow/core/util/event.proto). Tags are train/KEY and eval/KEY with the key names
// of the metrics file.
class TensorboardWriter {
 public:
  // Opens folder/events.out.tfevents.<seconds>.<host>; throws IoError.
  explicit TensorboardWriter(const std::string& folder);
  // `wall_time` in seconds since 1970.
  void add(const StepMetrics& metrics, double wall_time);

 private:
  void write_record(std::string_view payload);

  std::string path_;
  std::ofstream stream_;
};

// CRC-32C (Castagnoli) of `bytes`.
std::uint32_t crc32c(std::string_view bytes);

}  // namespace aurum::telemetry
