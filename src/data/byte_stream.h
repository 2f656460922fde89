#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>

namespace aurum::data {

// Bytes of a file from front to back, with gzip or Zstandard undone. Memory is a few buffers,
// however large the file or its content is. Not thread-safe.
class ByteStream {
 public:
  virtual ~ByteStream() = default;
  // Fills the front of `into` and returns how many bytes; 0 at the end. Throws IoError when the
  // file cannot be read, FormatError when its compression is damaged or it ends too early.
  virtual std::size_t read(std::span<char> into) = 0;
};

// Opens a file; its first bytes say how it is compressed, whatever its name. Several gzip members
// or Zstandard frames in one file are one content.
std::unique_ptr<ByteStream> open_bytes(const std::string& path);

// Lines of a stream with their numbers.
class LineReader {
 public:
  explicit LineReader(std::string path);

  // The next line without its end; false at the end of the file. Throws FormatError for a line
  // beyond `kMostBytes`.
  bool next(std::string& line);
  // The next character, or -1 at the end.
  int get();
  int peek();

  std::int64_t line_number() const { return line_number_; }  // of the last line or character
  const std::string& path() const { return path_; }

  static constexpr std::size_t kMostBytes = std::size_t{256} << 20;

 private:
  bool fill();

  std::string path_;
  std::unique_ptr<ByteStream> stream_;
  std::string buffer_;
  std::size_t at_ = 0, end_ = 0;
  std::int64_t line_number_ = 1;
  bool ends_line_ = false;
};

}  // namespace aurum::data
