// Joins the parts of a split GGUF model, NAME-00001-of-00003.gguf and so on, into one GgufFile.

#include <algorithm>

#include <fmt/format.h>

#include "base/error.h"
#include "weights/gguf.h"

namespace aurum::weights {
namespace {

constexpr std::uint64_t kMaxParts = 99'999;

// The path of part `index` (from 0), given that of any part.
std::string part_path(const std::string& named, std::uint64_t index, std::uint64_t count) {
  const std::string tail = fmt::format("-of-{:05}.gguf", count);
  constexpr std::size_t kNumberLength = 6;  // "-00001"
  const std::size_t stem = named.size() - std::min(named.size(), tail.size() + kNumberLength);
  const bool numbered = named.ends_with(tail) && stem > 0 && named[stem] == '-' &&
                        std::all_of(named.begin() + static_cast<std::ptrdiff_t>(stem) + 1,
                                    named.begin() + static_cast<std::ptrdiff_t>(stem) + 6,
                                    [](char c) { return c >= '0' && c <= '9'; });
  if (!numbered) {
    throw InputError(
        fmt::format("{}: one of {} parts of a split model, whose name must end in -00001{}. Give "
                    "the parts their names back.",
                    named, count, tail));
  }
  return fmt::format("{}-{:05}{}", named.substr(0, stem), index + 1, tail);
}

}  // namespace

std::shared_ptr<const GgufFile> GgufFile::open(const std::string& path) {
  auto file = open_part(path);
  const std::uint64_t count = file->unsigned_integer("split.count").value_or(1);
  return count > 1 ? open_parts(std::move(file), count) : file;
}

std::shared_ptr<GgufFile> GgufFile::open_parts(std::shared_ptr<GgufFile> named,
                                               std::uint64_t count) {
  if (count > kMaxParts) {
    throw FormatError(
        fmt::format("{}: split.count is {}, more than {}.", named->path(), count, kMaxParts));
  }
  std::shared_ptr<GgufFile> first;
  for (std::uint64_t index = 0; index < count; ++index) {
    const std::string path = part_path(named->path(), index, count);
    auto part = path == named->path() ? named : open_part(path);
    part->check_part(index, count);
    if (first == nullptr) {
      first = std::move(part);
    } else {
      first->append(std::move(part));
    }
  }
  first->check_num_tensors();
  return first;
}

void GgufFile::check_part(std::uint64_t index, std::uint64_t count) const {
  if (unsigned_integer("split.count") == count && unsigned_integer("split.no") == index) return;
  throw FormatError(
      fmt::format("{}: its split.no and split.count do not say that it is part {} of {}. Fetch "
                  "the parts again.",
                  path(), index + 1, count));
}

void GgufFile::append(std::shared_ptr<GgufFile> part) {
  for (const GgufTensor& tensor : part->tensors_) {
    if (!tensor_index_.emplace(tensor.name, tensors_.size()).second) {
      throw FormatError(
          fmt::format("{}: tensor {} is in another part as well. Fetch the parts "
                      "again.",
                      part->path(), tensor.name));
    }
    tensors_.push_back(tensor);
  }
  other_parts_.push_back(std::move(part));
}

void GgufFile::check_num_tensors() const {
  const auto expected = unsigned_integer("split.tensors.count");
  if (!expected || *expected == tensors_.size()) return;
  throw FormatError(
      fmt::format("{}: the parts hold {} tensors, split.tensors.count says {}. Fetch "
                  "the parts again.",
                  path(), tensors_.size(), *expected));
}

}  // namespace aurum::weights
