#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include <gmock/gmock.h>

#include "base/error.h"
#include "base/files.h"
#include "tests/support/temporary_folder.h"
#include "weights/checkpoint.h"

namespace aurum::weights {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using testing_support::TemporaryFolder;

std::string file_of(const std::string& header, const std::string& data) {
  const std::uint64_t length = header.size();
  std::string file(sizeof length, '\0');
  std::memcpy(file.data(), &length, sizeof length);
  return file + header + data;
}

template <typename T>
TensorToWrite to_write(std::string name, DType dtype, std::vector<std::int64_t> shape,
                       const std::vector<T>& values) {
  return {std::move(name), dtype, std::move(shape), std::as_bytes(std::span(values))};
}

std::string message_of_opening(const std::string& content) {
  TemporaryFolder folder;
  const auto path = folder.path() / "t.safetensors";
  write_file(path, content);
  try {
    SafetensorsFile::open(path);
  } catch (const FormatError& error) {
    EXPECT_THAT(error.what(), HasSubstr(path.string()));
    return error.what();
  }
  return "no error";
}

struct Samples {
  std::vector<std::int64_t> z = {1, 2, 3};
  std::vector<float> b = {1, 2, 3, 4}, e;
  std::vector<std::uint16_t> a = {0x3F80, 0xC000}, s = {0x4500};
  std::vector<std::uint8_t> q = {7};

  std::vector<TensorToWrite> tensors() const {
    return {to_write("b.x", DType::kFloat32, {2, 2}, b), to_write("a", DType::kBFloat16, {2}, a),
            to_write("z", DType::kInt64, {3}, z),        to_write("q\"", DType::kUInt8, {1}, q),
            to_write("s", DType::kFloat16, {}, s),       to_write("e", DType::kFloat32, {0, 4}, e)};
  }
};

TEST(Safetensors, WritesTheBytesThatPythonWrites) {
  const Samples samples;
  TemporaryFolder folder;
  const auto path = folder.path() / "t.safetensors";
  write_safetensors_file(path, samples.tensors());
  // safetensors.torch.save(..., metadata={"format": "pt"}), version 0.6.
  const std::string header =
      "{\"__metadata__\":{\"format\":\"pt\"},"
      "\"z\":{\"dtype\":\"I64\",\"shape\":[3],\"data_offsets\":[0,24]},"
      "\"b.x\":{\"dtype\":\"F32\",\"shape\":[2,2],\"data_offsets\":[24,40]},"
      "\"e\":{\"dtype\":\"F32\",\"shape\":[0,4],\"data_offsets\":[40,40]},"
      "\"a\":{\"dtype\":\"BF16\",\"shape\":[2],\"data_offsets\":[40,44]},"
      "\"s\":{\"dtype\":\"F16\",\"shape\":[],\"data_offsets\":[44,46]},"
      "\"q\\\"\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[46,47]}}";
  std::string data;
  const auto append = [&](const auto& values) {
    data.append(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(values[0]));
  };
  append(samples.z);
  append(samples.b);
  append(samples.a);
  append(samples.s);
  append(samples.q);
  EXPECT_EQ(read_file(path), file_of(header, data));
}

TEST(Safetensors, ReadsBackWhatItWrote) {
  const Samples samples;
  TemporaryFolder folder;
  write_safetensors_file(folder.path() / "t.safetensors", samples.tensors());
  const auto file = SafetensorsFile::open(folder.path() / "t.safetensors");
  ASSERT_EQ(file->tensors().size(), 6U);
  for (const TensorToWrite& written : samples.tensors()) {
    const TensorView* view = file->find(written.name);
    ASSERT_NE(view, nullptr) << written.name;
    EXPECT_EQ(view->dtype, written.dtype);
    EXPECT_EQ(view->shape, written.shape);
    EXPECT_TRUE(std::equal(view->bytes.begin(), view->bytes.end(), written.bytes.begin(),
                           written.bytes.end()));
  }
  EXPECT_EQ(file->find("missing"), nullptr);
}

TEST(Safetensors, AHalfFileSaysHowLongItShouldBe) {
  const std::string header = "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}";
  const std::string whole = file_of(header, std::string(8, 'x'));
  for (std::size_t size = 0; size < whole.size(); ++size) {
    EXPECT_THAT(message_of_opening(whole.substr(0, size)), HasSubstr("truncated"));
  }
  EXPECT_THAT(
      message_of_opening(whole.substr(0, whole.size() - 1)),
      AllOf(HasSubstr(std::to_string(whole.size() - 1)), HasSubstr(std::to_string(whole.size()))));
  EXPECT_EQ(message_of_opening(whole), "no error");
}

TEST(Safetensors, RefusesHeadersThatDoNotDescribeTheFile) {
  const auto entry = [](const char* shape, const char* offsets) {
    return std::string("\"dtype\":\"F32\",\"shape\":") + shape + ",\"data_offsets\":" + offsets;
  };
  const std::string data(8, 'x');
  const auto message = [&](const std::string& header) {
    return message_of_opening(file_of(header, data));
  };
  EXPECT_THAT(message("{\"a\":{" + entry("[3]", "[0,8]") + "}}"), HasSubstr("does not fit"));
  EXPECT_THAT(message("{\"a\":{" + entry("[4294967296,4294967296,2]", "[0,8]") + "}}"),
              HasSubstr("does not fit"));
  EXPECT_THAT(message("{\"a\":{" + entry("[-2]", "[0,8]") + "}}"), HasSubstr("whole numbers"));
  EXPECT_THAT(message("{\"a\":{" + entry("[1]", "[4,8]") + "}}"), HasSubstr("expected 0"));
  EXPECT_THAT(message("{\"a\":{" + entry("[1]", "[0,4]") + "}}"), HasSubstr("4 bytes follow"));
  EXPECT_THAT(
      message("{\"a\":{" + entry("[2]", "[0,8]") + "},\"b\":{" + entry("[2]", "[0,8]") + "}}"),
      HasSubstr("expected 8"));
  EXPECT_THAT(
      message("{\"a\":{" + entry("[1]", "[0,4]") + "},\"a\":{" + entry("[1]", "[4,8]") + "}}"),
      HasSubstr("repeated"));
  EXPECT_THAT(message("{\"a\":{\"dtype\":\"F4\",\"shape\":[16],\"data_offsets\":[0,8]}}"),
              HasSubstr("F4"));
  EXPECT_THAT(message("[1]"), HasSubstr("not a JSON object"));
  EXPECT_THAT(message("{\"a\":"), HasSubstr("not valid JSON"));
  EXPECT_THAT(message_of_opening(std::string(8, '\xFF') + "{}"), HasSubstr("header length"));
}

TEST(Safetensors, ShardsCarryAnIndexAndReplaceTheSingleFile) {
  const std::vector<float> values = {1, 2};
  const std::vector<TensorToWrite> tensors = {to_write("a", DType::kFloat32, {2}, values),
                                              to_write("b", DType::kFloat32, {2}, values),
                                              to_write("c", DType::kFloat32, {2}, values)};
  TemporaryFolder folder;
  write_safetensors(folder.path(), tensors);
  EXPECT_TRUE(std::filesystem::exists(folder.path() / "model.safetensors"));
  write_safetensors(folder.path(), tensors, 16);
  EXPECT_FALSE(std::filesystem::exists(folder.path() / "model.safetensors"));
  const std::string index = read_file(folder.path() / "model.safetensors.index.json");
  EXPECT_THAT(index, HasSubstr("\"total_size\": 24"));
  EXPECT_THAT(index, HasSubstr("\"c\": \"model-00002-of-00002.safetensors\""));
  EXPECT_NE(SafetensorsFile::open(folder.path() / "model-00001-of-00002.safetensors")->find("b"),
            nullptr);
}

}  // namespace
}  // namespace aurum::weights
