#pragma once

#include <filesystem>
#include <optional>
#include <string>

namespace aurum::hub {

// The cache that Hugging Face's tools share:
//   models--ORG--NAME/refs/REVISION           the commit a branch or tag stood for
//   models--ORG--NAME/snapshots/COMMIT/FILE   links to
//   models--ORG--NAME/blobs/ETAG              the contents
class RepositoryCache {
 public:
  // `repository` is "org/name" or "name".
  RepositoryCache(const std::filesystem::path& cache, const std::string& repository);

  const std::filesystem::path& folder() const { return folder_; }
  std::filesystem::path blob(const std::string& etag) const { return folder_ / "blobs" / etag; }

  // The snapshot of a branch, tag or commit, when its folder is there; it may lack files.
  std::optional<std::filesystem::path> find_snapshot(const std::string& revision) const;

  // Makes snapshots/COMMIT/FILE point to the blob, replacing what was there.
  void link(const std::string& commit, const std::string& file, const std::string& etag) const;
  // Records what `revision` stands for, once all files of the snapshot are there.
  void remember(const std::string& revision, const std::string& commit) const;

 private:
  std::filesystem::path folder_;
};

}  // namespace aurum::hub
