#include "hub/download.h"

#include <array>
#include <cerrno>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/files.h"
#include "hub/digest.h"
#include "hub/http_client.h"

namespace aurum::hub {
namespace {

namespace fs = std::filesystem;

constexpr int kMaxIdleTries = 3;  // connections in a row that bring nothing

// TARGET.incomplete, locked against other programs while it is open.
class PartialFile {
 public:
  explicit PartialFile(const fs::path& target) : path_(target.string() + ".incomplete") {
    descriptor_ = ::open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (descriptor_ < 0) throw_errno(path_, "cannot write");
    while (::flock(descriptor_, LOCK_EX) != 0) {
      if (errno != EINTR) throw_errno(path_, "cannot lock");
    }
  }
  PartialFile(const PartialFile&) = delete;
  PartialFile& operator=(const PartialFile&) = delete;
  ~PartialFile() { ::close(descriptor_); }

  std::uint64_t size() const {
    struct stat status {};
    if (::fstat(descriptor_, &status) != 0) throw_errno(path_, "cannot read its size");
    return static_cast<std::uint64_t>(status.st_size);
  }
  void truncate() {
    if (::ftruncate(descriptor_, 0) != 0) throw_errno(path_, "cannot write");
  }
  void append(std::span<const std::byte> bytes) {
    std::uint64_t at = size();
    while (!bytes.empty()) {
      const ssize_t written =
          ::pwrite(descriptor_, bytes.data(), bytes.size(), static_cast<off_t>(at));
      if (written < 0 && errno == EINTR) continue;
      if (written <= 0) throw_errno(path_, "cannot write", "Is the disk full?");
      at += static_cast<std::uint64_t>(written);
      bytes = bytes.subspan(static_cast<std::size_t>(written));
    }
  }
  std::string hash(Digest digest) {
    std::array<std::byte, 1 << 16> buffer;
    off_t at = 0;
    for (;;) {
      const ssize_t got = ::pread(descriptor_, buffer.data(), buffer.size(), at);
      if (got < 0) throw_errno(path_, "cannot read");
      if (got == 0) return digest.finish_hex();
      digest.update(std::span(buffer).first(static_cast<std::size_t>(got)));
      at += got;
    }
  }
  void move_to(const fs::path& target) {
    if (::fsync(descriptor_) != 0) throw_errno(path_, "cannot sync to disk");
    if (::rename(path_.c_str(), target.c_str()) != 0) throw_errno(path_, "cannot rename");
  }
  void remove() { ::unlink(path_.c_str()); }

 private:
  std::string path_;
  int descriptor_;
};

Digest digest_for(const Download& request) {
  if (request.checksum.size() == 64) return Digest(DigestKind::kSha256);
  Digest digest(DigestKind::kSha1);
  const std::string head = fmt::format("blob {}", request.size);
  digest.update(std::as_bytes(std::span(head.c_str(), head.size() + 1)));  // with its NUL
  return digest;
}

// One connection: appends what it brings.
void receive(const Download& request, PartialFile& file, const DownloadProgress& progress) {
  HttpRequest http{request.url, request.token, file.size()};
  std::uint64_t done = http.range_begin;
  const auto on_response = [&](const HttpResponse& response) {
    const bool continues = response.status == 206 && http.range_begin > 0;
    if (!continues && done > 0) {  // the server starts over, or has nothing beyond this point
      file.truncate();
      done = 0;
    }
    if (response.status == 416) return false;
    if (!continues) check_status(response.status, request.url, request.url);
    return true;
  };
  http_get(http, on_response, [&](std::span<const std::byte> bytes) {
    done += bytes.size();
    if (done > request.size) {
      throw FormatError(fmt::format("{}: more than the {} bytes that were announced. Try again.",
                                    request.url, request.size));
    }
    file.append(bytes);
    progress(done);
  });
}

void receive_all(const Download& request, PartialFile& file, const DownloadProgress& progress) {
  if (file.size() > request.size) file.truncate();
  int idle_tries = 0;
  while (file.size() < request.size) {
    const std::uint64_t before = file.size();
    std::string problem = "the connection was closed";
    try {
      receive(request, file, progress);
    } catch (const IoError& error) {
      problem = error.what();
    }
    idle_tries = file.size() > before ? 0 : idle_tries + 1;
    if (file.size() < request.size && idle_tries == kMaxIdleTries) {
      throw IoError(
          fmt::format("{}: stopped after {} of {} bytes ({}). Try again: it continues "
                      "there.",
                      request.url, file.size(), request.size, problem));
    }
  }
}

}  // namespace

void check_status(int status, const std::string& what, const std::string& url) {
  if (status == 200) return;
  if (status == 401 || status == 403) {
    throw InputError(fmt::format(
        "{}: access is refused ({}). Accept the model's terms on its page and set HF_TOKEN, or "
        "check the name.",
        what, status));
  }
  if (status == 404) {
    throw InputError(
        fmt::format("{}: not found (404 from {}). Check the name and --revision.", what, url));
  }
  throw IoError(fmt::format("{}: the server answered {}. Try again later.", url, status));
}

void download(const Download& request, const DownloadProgress& progress) {
  make_folder(request.target.parent_path());
  PartialFile file(request.target);
  if (fs::exists(request.target)) {  // another program was faster
    file.remove();
    return;
  }
  receive_all(request, file, progress);
  const std::string sum = file.hash(digest_for(request));
  if (sum != request.checksum) {
    file.remove();
    throw FormatError(fmt::format("{}: the checksum is {}, expected {}. Try again.", request.url,
                                  sum, request.checksum));
  }
  file.move_to(request.target);
}

}  // namespace aurum::hub
