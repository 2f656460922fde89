#include "hub/cache.h"

#include <cctype>
#include <cstdlib>
#include <system_error>

#include <fmt/format.h>

#include "base/error.h"
#include "base/files.h"

namespace aurum::hub {

namespace fs = std::filesystem;

namespace {

std::string folder_name(const std::string& repository) {
  std::string name = "models--" + repository;
  for (std::size_t p = name.find('/'); p != std::string::npos; p = name.find('/')) {
    name.replace(p, 1, "--");
  }
  return name;
}

}  // namespace

RepositoryCache::RepositoryCache(const fs::path& cache, const std::string& repository)
    : folder_(cache / folder_name(repository)) {}

std::optional<fs::path> RepositoryCache::find_snapshot(const std::string& revision) const {
  std::string commit = revision;
  if (auto text = read_file_if_present(folder_ / "refs" / revision)) {
    while (!text->empty() && std::isspace(static_cast<unsigned char>(text->back())) != 0) {
      text->pop_back();
    }
    commit = *text;
  }
  fs::path snapshot = folder_ / "snapshots" / commit;
  if (commit.empty() || !fs::is_directory(snapshot)) return std::nullopt;
  return snapshot;
}

void RepositoryCache::link(const std::string& commit, const std::string& file,
                           const std::string& etag) const {
  const fs::path path = folder_ / "snapshots" / commit / file;
  make_folder(path.parent_path());
  const fs::path target = fs::relative(blob(etag), path.parent_path());
  const fs::path temporary = path.string() + ".new";
  std::error_code error;
  fs::remove(temporary, error);
  fs::create_symlink(target, temporary, error);
  if (!error) fs::rename(temporary, path, error);
  if (error) throw IoError(fmt::format("{}: cannot link: {}", path.string(), error.message()));
}

void RepositoryCache::remember(const std::string& revision, const std::string& commit) const {
  if (revision == commit) return;
  const fs::path ref = folder_ / "refs" / revision;
  make_folder(ref.parent_path());
  write_file(ref, commit);
}

}  // namespace aurum::hub
