#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>

namespace aurum::hub {

enum class DigestKind { kSha1, kSha256 };

// A running hash.
class Digest {
 public:
  explicit Digest(DigestKind kind);
  Digest(Digest&&) noexcept;
  ~Digest();
  void update(std::span<const std::byte> bytes);
  std::string finish_hex();  // lower case; once

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace aurum::hub
