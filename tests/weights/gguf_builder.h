#pragma once

#include <cstdint>
#include <cstring>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/files.h"

namespace aurum::testing_support {

// Writes small GGUF files, independently of the reader.
class GgufBuilder {
 public:
  GgufBuilder& text(std::string_view key, std::string_view value) {
    begin_value(key, 8);
    put_string(metadata_, value);
    return *this;
  }
  GgufBuilder& u32(std::string_view key, std::uint32_t value) {
    begin_value(key, 4);
    put(metadata_, value);
    return *this;
  }
  GgufBuilder& f32(std::string_view key, float value) {
    begin_value(key, 6);
    put(metadata_, value);
    return *this;
  }
  GgufBuilder& flag(std::string_view key, bool value) {
    begin_value(key, 7);
    put(metadata_, static_cast<std::uint8_t>(value ? 1 : 0));
    return *this;
  }
  GgufBuilder& texts(std::string_view key, const std::vector<std::string>& values) {
    begin_array(key, 8, values.size());
    for (const std::string& value : values) put_string(metadata_, value);
    return *this;
  }
  GgufBuilder& i32s(std::string_view key, const std::vector<std::int32_t>& values) {
    begin_array(key, 5, values.size());
    for (const std::int32_t value : values) put(metadata_, value);
    return *this;
  }
  GgufBuilder& f32s(std::string_view key, const std::vector<float>& values) {
    begin_array(key, 6, values.size());
    for (const float value : values) put(metadata_, value);
    return *this;
  }

  // `shape` as in torch; `content` in file order.
  GgufBuilder& tensor(std::string_view name, const std::vector<std::uint64_t>& shape,
                      std::uint32_t type, std::string_view content) {
    ++num_tensors_;
    put_string(infos_, name);
    put(infos_, static_cast<std::uint32_t>(shape.size()));
    for (auto size = shape.rbegin(); size != shape.rend(); ++size) put(infos_, *size);
    put(infos_, type);
    put(infos_, static_cast<std::uint64_t>(data_.size()));
    data_ += content;
    data_.resize((data_.size() + 31) / 32 * 32);
    return *this;
  }
  GgufBuilder& floats(std::string_view name, const std::vector<std::uint64_t>& shape,
                      const std::vector<float>& values) {
    std::string content(values.size() * sizeof(float), '\0');
    if (!values.empty()) std::memcpy(content.data(), values.data(), content.size());
    return tensor(name, shape, 0, content);
  }

  std::string build() const {
    std::string file = "GGUF";
    put(file, std::uint32_t{3});
    put(file, num_tensors_);
    put(file, num_values_);
    file += metadata_ + infos_;
    file.resize((file.size() + 31) / 32 * 32);
    return file + data_;
  }

  std::string write(const std::filesystem::path& path) const {
    write_file(path, build());
    return path.string();
  }

 private:
  template <typename T>
  static void put(std::string& out, T value) {
    out.append(reinterpret_cast<const char*>(&value), sizeof value);
  }
  static void put_string(std::string& out, std::string_view value) {
    put(out, static_cast<std::uint64_t>(value.size()));
    out += value;
  }
  void begin_value(std::string_view key, std::uint32_t type) {
    ++num_values_;
    put_string(metadata_, key);
    put(metadata_, type);
  }
  void begin_array(std::string_view key, std::uint32_t element_type, std::size_t count) {
    begin_value(key, 9);
    put(metadata_, element_type);
    put(metadata_, static_cast<std::uint64_t>(count));
  }

  std::string metadata_, infos_, data_;
  std::uint64_t num_tensors_ = 0, num_values_ = 0;
};

}  // namespace aurum::testing_support
