#include "telemetry/tensorboard_writer.h"

#include <cstring>
#include <filesystem>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/files.h"
#include "tests/support/temporary_folder.h"

namespace aurum::telemetry {
namespace {

TEST(TensorboardWriter, UsesTheCastagnoliPolynomial) {
  EXPECT_EQ(crc32c("123456789"), 0xE3069283u);  // the check value of RFC 3720
}

// Cuts a file into the payloads of its records.
std::vector<std::string> payloads_of(const std::string& file) {
  std::vector<std::string> payloads;
  for (std::size_t at = 0; at < file.size();) {
    std::uint64_t length = 0;
    std::memcpy(&length, file.data() + at, sizeof(length));
    payloads.push_back(file.substr(at + 12, length));
    at += 12 + length + 4;
  }
  return payloads;
}

TEST(TensorboardWriter, WritesOneEventPerLog) {
  const testing_support::TemporaryFolder folder;
  TensorboardWriter writer(folder.path().string());
  writer.add({.step = 3, .loss = 0.5}, 1.0);
  writer.add({.is_evaluation = true, .step = 3, .loss = 0.25}, 2.0);
  const auto file = std::filesystem::directory_iterator(folder.path())->path();
  EXPECT_EQ(file.filename().string().rfind("events.out.tfevents.", 0), 0u);
  const std::vector<std::string> events = payloads_of(read_file(file));
  ASSERT_EQ(events.size(), 3u);
  EXPECT_THAT(events[0], testing::HasSubstr("brain.Event:2"));
  // Field 1 wall time, field 2 step, field 5 summary with a value: tag, then 0.5 as float32.
  EXPECT_EQ(events[1].substr(0, 11), std::string("\x09\0\0\0\0\0\0\xF0\x3F\x10\x03", 11));
  EXPECT_THAT(events[1], testing::HasSubstr(std::string("\x0A\x0Atrain/loss\x15\0\0\0\x3F", 17)));
  EXPECT_THAT(events[2], testing::HasSubstr(std::string("\x0A\x09"
                                                        "eval/loss\x15\0\0\x80\x3E",
                                                        16)));
}

}  // namespace
}  // namespace aurum::telemetry
