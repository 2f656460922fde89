#include "telemetry/tensorboard_writer.h"

#include <array>
#include <bit>
#include <chrono>
#include <filesystem>

#include <fmt/format.h>
#include <unistd.h>

#include "base/error.h"
#include "base/files.h"

namespace aurum::telemetry {

namespace {

constexpr std::array<std::uint32_t, 256> make_crc_table() {
  constexpr std::uint32_t kReversedPolynomial = 0x82F63B78;
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t byte = 0; byte < 256; ++byte) {
    std::uint32_t value = byte;
    for (int bit = 0; bit < 8; ++bit) {
      value = (value >> 1) ^ (value & 1 ? kReversedPolynomial : 0);
    }
    table[byte] = value;
  }
  return table;
}

// TensorFlow masks checksums that are stored beside the data they cover.
std::uint32_t masked_crc(std::string_view bytes) {
  return std::rotr(crc32c(bytes), 15) + 0xA282EAD8;
}

template <typename T>
void append_little_endian(std::string& out, T value) {
  static_assert(std::endian::native == std::endian::little);
  out.append(reinterpret_cast<const char*>(&value), sizeof(value));
}

void append_varint(std::string& out, std::uint64_t value) {
  for (; value >= 0x80; value >>= 7) out.push_back(static_cast<char>(value | 0x80));
  out.push_back(static_cast<char>(value));
}

// Protocol-buffer fields: the key holds the field number and the wire type.
enum WireType : std::uint64_t { kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5 };
void append_key(std::string& out, std::uint64_t field, WireType type) {
  append_varint(out, field << 3 | type);
}
void append_bytes(std::string& out, std::uint64_t field, std::string_view bytes) {
  append_key(out, field, kBytes);
  append_varint(out, bytes.size());
  out.append(bytes);
}

std::string event_of(double wall_time, std::int64_t step) {
  std::string event;
  append_key(event, 1, kFixed64);
  append_little_endian(event, wall_time);
  append_key(event, 2, kVarint);
  append_varint(event, static_cast<std::uint64_t>(step));
  return event;
}

std::string scalar(const std::string& tag, float value) {
  std::string scalar;
  append_bytes(scalar, 1, tag);
  append_key(scalar, 2, kFixed32);
  append_little_endian(scalar, value);
  return scalar;
}

std::string host_name() {
  char name[256] = "localhost";
  ::gethostname(name, sizeof(name) - 1);
  return name;
}

}  // namespace

std::uint32_t crc32c(std::string_view bytes) {
  static constexpr std::array<std::uint32_t, 256> kTable = make_crc_table();
  std::uint32_t value = ~0u;
  for (const char byte : bytes) {
    value = (value >> 8) ^ kTable[(value ^ static_cast<unsigned char>(byte)) & 0xFF];
  }
  return ~value;
}

TensorboardWriter::TensorboardWriter(const std::string& folder) {
  make_folder(folder);
  const std::chrono::duration<double> now = std::chrono::system_clock::now().time_since_epoch();
  path_ = fmt::format("{}/events.out.tfevents.{}.{}", folder,
                      static_cast<std::int64_t>(now.count()), host_name());
  stream_.open(path_, std::ios::binary | std::ios::app);
  if (!stream_) throw_errno(path_, "cannot open to append");
  std::string event = event_of(now.count(), 0);
  append_bytes(event, 3, "brain.Event:2");
  write_record(event);
}

void TensorboardWriter::add(const StepMetrics& metrics, double wall_time) {
  const std::string prefix = metrics.is_evaluation ? "eval_" : "";
  const std::string group = metrics.is_evaluation ? "eval/" : "train/";
  const nlohmann::ordered_json keys = to_json(metrics);
  std::string summary;
  for (const auto& [key, value] : keys.items()) {
    if (key == "step" || !value.is_number()) continue;
    const std::string name = key.rfind(prefix, 0) == 0 ? key.substr(prefix.size()) : key;
    append_bytes(summary, 1, scalar(group + name, value.get<float>()));
  }
  std::string event = event_of(wall_time, metrics.step);
  append_bytes(event, 5, summary);
  write_record(event);
}

void TensorboardWriter::write_record(std::string_view payload) {
  std::string header;
  append_little_endian(header, static_cast<std::uint64_t>(payload.size()));
  std::string record = header;
  append_little_endian(record, masked_crc(header));
  record.append(payload);
  append_little_endian(record, masked_crc(payload));
  stream_.write(record.data(), static_cast<std::streamsize>(record.size())).flush();
  if (!stream_) throw_errno(path_, "cannot write", "Is the disk full?");
}

}  // namespace aurum::telemetry
