#include "data/byte_stream.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstring>
#include <filesystem>

#include <fmt/format.h>
#include <zlib.h>
#include <zstd.h>

#include "base/error.h"

namespace aurum::data {

namespace {

constexpr std::size_t kBufferBytes = std::size_t{1} << 17;

class PlainStream : public ByteStream {
 public:
  explicit PlainStream(const std::string& path) : path_(path) {
    if (std::filesystem::is_directory(path)) throw IoError(path + ": is a folder, not a file");
    file_.reset(std::fopen(path.c_str(), "rb"));
    if (!file_) throw_errno(path, "cannot read this file");
  }

  std::size_t read(std::span<char> into) override {
    const std::size_t size = std::fread(into.data(), 1, into.size(), file_.get());
    if (size == 0 && std::ferror(file_.get()) != 0) throw_errno(path_, "reading failed");
    return size;
  }

  // The first four bytes, fewer in a shorter file.
  std::string magic() {
    std::array<char, 4> bytes;
    const std::size_t size = read(bytes);
    std::rewind(file_.get());
    return {bytes.data(), size};
  }

  const std::string& path() const { return path_; }

 private:
  struct Close {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };
  std::string path_;
  std::unique_ptr<std::FILE, Close> file_;
};

class GzipStream : public ByteStream {
 public:
  explicit GzipStream(std::unique_ptr<PlainStream> file) : file_(std::move(file)) {
    constexpr int kGzipOnly = 15 + 16;
    if (::inflateInit2(&state_, kGzipOnly) != Z_OK) throw std::bad_alloc();
  }
  GzipStream(const GzipStream&) = delete;
  GzipStream& operator=(const GzipStream&) = delete;
  ~GzipStream() override { ::inflateEnd(&state_); }

  std::size_t read(std::span<char> into) override {
    state_.next_out = reinterpret_cast<Bytef*>(into.data());
    state_.avail_out = static_cast<uInt>(into.size());
    while (state_.avail_out == into.size() && !is_finished_) step();
    return into.size() - state_.avail_out;
  }

 private:
  void step() {
    if (state_.avail_in == 0) {
      const std::size_t size = file_->read(buffer_);
      if (size == 0) {
        if (!at_member_end_) throw FormatError(file_->path() + ": the gzip data ends too early");
        is_finished_ = true;
        return;
      }
      state_.next_in = reinterpret_cast<Bytef*>(buffer_.data());
      state_.avail_in = static_cast<uInt>(size);
    }
    if (at_member_end_) ::inflateReset(&state_);
    const int result = ::inflate(&state_, Z_NO_FLUSH);
    at_member_end_ = result == Z_STREAM_END;
    if (result != Z_OK && result != Z_STREAM_END && result != Z_BUF_ERROR) {
      throw FormatError(fmt::format("{}: the gzip data is damaged: {}", file_->path(),
                                    state_.msg != nullptr ? state_.msg : "unknown reason"));
    }
  }

  std::unique_ptr<PlainStream> file_;
  std::string buffer_ = std::string(kBufferBytes, '\0');
  z_stream state_{};
  bool at_member_end_ = false, is_finished_ = false;
};

class ZstdStream : public ByteStream {
 public:
  explicit ZstdStream(std::unique_ptr<PlainStream> file)
      : file_(std::move(file)), state_(ZSTD_createDStream()) {
    if (!state_) throw std::bad_alloc();
  }

  std::size_t read(std::span<char> into) override {
    ZSTD_outBuffer out{into.data(), into.size(), 0};
    while (out.pos == 0) {
      if (in_.pos == in_.size && !refill()) {
        if (hint_ != 0) throw FormatError(file_->path() + ": the zstd data ends too early");
        break;
      }
      hint_ = ZSTD_decompressStream(state_.get(), &out, &in_);
      if (ZSTD_isError(hint_) != 0) {
        throw FormatError(fmt::format("{}: the zstd data is damaged: {}", file_->path(),
                                      ZSTD_getErrorName(hint_)));
      }
    }
    return out.pos;
  }

 private:
  bool refill() {
    in_ = {buffer_.data(), file_->read(buffer_), 0};
    return in_.size != 0;
  }

  struct Free {
    void operator()(ZSTD_DStream* state) const { ZSTD_freeDStream(state); }
  };
  std::unique_ptr<PlainStream> file_;
  std::unique_ptr<ZSTD_DStream, Free> state_;
  std::string buffer_ = std::string(kBufferBytes, '\0');
  ZSTD_inBuffer in_{nullptr, 0, 0};
  std::size_t hint_ = 0;  // 0 at the end of a frame
};

}  // namespace

std::unique_ptr<ByteStream> open_bytes(const std::string& path) {
  auto file = std::make_unique<PlainStream>(path);
  const std::string magic = file->magic();
  if (magic.starts_with("\x1f\x8b")) return std::make_unique<GzipStream>(std::move(file));
  if (magic.starts_with("\x28\xb5\x2f\xfd")) return std::make_unique<ZstdStream>(std::move(file));
  return file;
}

LineReader::LineReader(std::string path)
    : path_(std::move(path)), stream_(open_bytes(path_)), buffer_(kBufferBytes, '\0') {
  // A byte order mark is no part of the text.
  if (peek() == 0xEF && end_ >= 3 && buffer_.compare(0, 3, "\xEF\xBB\xBF") == 0) at_ = 3;
}

bool LineReader::fill() {
  if (at_ < end_) return true;
  at_ = 0;
  end_ = stream_->read({buffer_.data(), buffer_.size()});
  return end_ != 0;
}

int LineReader::peek() { return fill() ? static_cast<unsigned char>(buffer_[at_]) : -1; }

int LineReader::get() {
  if (!fill()) return -1;
  if (ends_line_) ++line_number_;
  const char c = buffer_[at_++];
  ends_line_ = c == '\n';
  return static_cast<unsigned char>(c);
}

bool LineReader::next(std::string& line) {
  line.clear();
  if (!fill()) return false;
  if (ends_line_) ++line_number_;
  ends_line_ = false;
  while (fill()) {
    const char* begin = buffer_.data() + at_;
    const void* end = std::memchr(begin, '\n', end_ - at_);
    const std::size_t size = end == nullptr
                                 ? end_ - at_
                                 : static_cast<std::size_t>(static_cast<const char*>(end) - begin);
    if (line.size() + size > kMostBytes) {
      throw FormatError(fmt::format("{}:{}: this line is longer than {} MiB", path_, line_number_,
                                    kMostBytes >> 20));
    }
    line.append(begin, size);
    at_ += size;
    if (end != nullptr) {
      ++at_;
      ends_line_ = true;
      break;
    }
  }
  if (line.ends_with('\r')) line.pop_back();
  return true;
}

}  // namespace aurum::data
