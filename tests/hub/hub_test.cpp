#include "hub/hub.h"

#include <atomic>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <httplib.h>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/files.h"
#include "hub/cache.h"
#include "hub/digest.h"
#include "tests/support/temporary_folder.h"

namespace aurum::hub {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::UnorderedElementsAre;
using Json = nlohmann::json;
using testing_support::TemporaryFolder;

const std::string kCommit(40, 'c');

std::string hash(DigestKind kind, const std::string& text) {
  Digest digest(kind);
  digest.update(std::as_bytes(std::span(text.data(), text.size())));
  return digest.finish_hex();
}

std::string git_hash(const std::string& text) {
  return hash(DigestKind::kSha1, fmt::format("blob {}", text.size()) + '\0' + text);
}

// A small Hugging Face on this machine: one model, whose large files live on another "host" (the
// same server under another name) behind a redirect.
class FakeHub {
 public:
  FakeHub() {
    server_.Get(R"(/api/models/(.+)/revision/(\w+))",
                [this](const auto& request, auto& response) { list(request, response); });
    server_.Get(R"(/org/model/resolve/\w+/(.+))",
                [this](const auto& request, auto& response) { resolve(request, response); });
    server_.Get(R"(/storage/(.+))",
                [this](const auto& request, auto& response) { store(request, response); });
    port_ = server_.bind_to_any_port("127.0.0.1");
    thread_ = std::thread([this] { server_.listen_after_bind(); });
  }
  ~FakeHub() {
    server_.stop();
    thread_.join();
  }

  std::string endpoint() const { return fmt::format("http://127.0.0.1:{}", port_); }

  std::map<std::string, std::string> files, large_files;
  std::string required_token;
  bool lies_about_checksums = false;
  int cuts_left = 0;  // answers that stop in the middle
  std::vector<std::string> requests;

 private:
  void note(const httplib::Request& request) {
    const std::lock_guard lock(mutex_);
    requests.push_back(request.path + request.get_header_value("Range"));
    if (request.has_header("Authorization") && request.path.starts_with("/storage/")) {
      requests.push_back("the token went to another host");
    }
  }
  bool is_refused(const httplib::Request& request, httplib::Response& response) const {
    if (required_token.empty()) return false;
    if (request.get_header_value("Authorization") == "Bearer " + required_token) return false;
    response.status = 401;
    return true;
  }
  void list(const httplib::Request& request, httplib::Response& response) {
    note(request);
    if (is_refused(request, response)) return;
    if (request.matches[1] != "org/model") {
      response.status = 404;
      return;
    }
    Json siblings = Json::array();
    for (const auto& [name, text] : files) {
      siblings.push_back({{"rfilename", name}, {"size", text.size()}, {"blobId", git_hash(text)}});
    }
    for (const auto& [name, text] : large_files) {
      const std::string sum = hash(DigestKind::kSha256, lies_about_checksums ? "other" : text);
      siblings.push_back({{"rfilename", name},
                          {"size", text.size()},
                          {"blobId", git_hash("pointer")},
                          {"lfs", {{"sha256", sum}, {"size", text.size()}}}});
    }
    response.set_content(Json({{"sha", kCommit}, {"siblings", siblings}}).dump(),
                         "application/json");
  }
  void resolve(const httplib::Request& request, httplib::Response& response) {
    note(request);
    if (is_refused(request, response)) return;
    const std::string name = request.matches[1];
    if (files.contains(name)) {
      response.set_content(files.at(name), "text/plain");
    } else {
      response.set_redirect(fmt::format("http://localhost:{}/storage/{}", port_, name));
    }
  }
  void store(const httplib::Request& request, httplib::Response& response) {
    note(request);
    const std::string& text = large_files.at(request.matches[1]);
    if (cuts_left == 0) {
      response.set_content(text, "application/octet-stream");
      return;
    }
    --cuts_left;
    const std::size_t begin = request.ranges.empty() ? 0 : request.ranges[0].first;
    response.set_content_provider(text.size(), "application/octet-stream",
                                  [text, half = begin + (text.size() - begin) / 2](
                                      std::size_t offset, std::size_t, httplib::DataSink& sink) {
                                    if (offset >= half) return false;
                                    return sink.write(text.data() + offset, half - offset);
                                  });
  }

  httplib::Server server_;
  std::mutex mutex_;
  std::thread thread_;
  int port_ = 0;
};

class HubTest : public ::testing::Test {
 protected:
  void SetUp() override {
    hub_.files = {{"config.json", "{}"},
                  {"tokenizer.json", "{\"a\":1}"},
                  {"README.md", "#"},
                  {"onnx/model.onnx", "x"}};
    hub_.large_files = {{"model.safetensors", std::string(300'000, 'w') + "end"}};
  }
  HubOptions options() const {
    HubOptions options;
    options.cache = cache_.path();
    options.endpoint = hub_.endpoint();
    return options;
  }
  std::filesystem::path repository() const { return cache_.path() / "models--org--model"; }
  std::string message(const std::string& name, const HubOptions& options,
                      Part part = Part::kModel) const {
    try {
      fetch(name, "main", part, options);
    } catch (const Error& error) {
      return error.what();
    }
    return "no error";
  }

  TemporaryFolder cache_;
  FakeHub hub_;
};

TEST_F(HubTest, FetchesTheNeededFilesIntoTheSharedCacheLayout) {
  const auto folder = fetch("org/model", "main", Part::kModel, options());
  EXPECT_EQ(folder, repository() / "snapshots" / kCommit);
  EXPECT_EQ(read_file(folder / "config.json"), "{}");
  EXPECT_EQ(read_file(folder / "model.safetensors"), hub_.large_files["model.safetensors"]);
  EXPECT_FALSE(std::filesystem::exists(folder / "README.md"));
  EXPECT_FALSE(std::filesystem::exists(folder / "onnx"));
  EXPECT_EQ(read_file(repository() / "refs" / "main"), kCommit);
  const std::string sum = hash(DigestKind::kSha256, hub_.large_files["model.safetensors"]);
  EXPECT_EQ(std::filesystem::read_symlink(folder / "model.safetensors"), "../../blobs/" + sum);
}

TEST_F(HubTest, NeedsNoNetworkForWhatTheCacheHolds) {
  fetch("org/model", "main", Part::kModel, options());
  hub_.requests.clear();
  HubOptions offline = options();
  offline.offline = true;
  EXPECT_EQ(fetch("org/model", "main", Part::kModel, offline),
            fetch("org/model", kCommit, Part::kModel, offline));
  EXPECT_THAT(hub_.requests, ElementsAre());
  EXPECT_THAT(message("org/other", offline), HasSubstr("HF_HUB_OFFLINE"));
}

TEST_F(HubTest, ATokenizerNeedsNoWeightsAndAModelFetchesThemLater) {
  const auto folder = fetch("org/model", "main", Part::kTokenizer, options());
  EXPECT_TRUE(std::filesystem::exists(folder / "tokenizer.json"));
  EXPECT_FALSE(std::filesystem::exists(folder / "model.safetensors"));
  fetch("org/model", "main", Part::kModel, options());
  EXPECT_TRUE(std::filesystem::exists(folder / "model.safetensors"));
}

TEST_F(HubTest, TakesUpBrokenConnectionsWhereTheyStopped) {
  hub_.cuts_left = 2;
  const auto folder = fetch("org/model", "main", Part::kModel, options());
  EXPECT_EQ(read_file(folder / "model.safetensors"), hub_.large_files["model.safetensors"]);
  EXPECT_THAT(hub_.requests, ::testing::Contains(HasSubstr("model.safetensorsbytes=")));
}

TEST_F(HubTest, ContinuesWhatAnEarlierRunLeft) {
  const std::string& content = hub_.large_files["model.safetensors"];
  const auto blob = repository() / "blobs" / hash(DigestKind::kSha256, content);
  make_folder(blob.parent_path());
  write_file(blob.string() + ".incomplete", content.substr(0, 1000));
  const auto folder = fetch("org/model", "main", Part::kModel, options());
  EXPECT_EQ(read_file(folder / "model.safetensors"), content);
  EXPECT_THAT(hub_.requests, ::testing::Contains("/storage/model.safetensorsbytes=1000-"));
  EXPECT_FALSE(std::filesystem::exists(blob.string() + ".incomplete"));
}

TEST_F(HubTest, RefusesContentWithAnotherChecksum) {
  hub_.lies_about_checksums = true;
  EXPECT_THAT(message("org/model", options()), HasSubstr("checksum"));
  EXPECT_FALSE(std::filesystem::exists(repository() / "refs"));
  EXPECT_THAT(message("org/model", options()), HasSubstr("checksum")) << "nothing bad is kept";
}

TEST_F(HubTest, SendsTheTokenToTheHubAlone) {
  hub_.required_token = "secret";
  EXPECT_THAT(message("org/model", options()), HasSubstr("HF_TOKEN"));
  HubOptions with_token = options();
  with_token.token = "secret";
  EXPECT_EQ(message("org/model", with_token), "no error");
  EXPECT_THAT(hub_.requests, ::testing::Not(::testing::Contains("the token went to another host")));
}

TEST_F(HubTest, SaysWhatIsMissing) {
  EXPECT_THAT(message("org/unknown", options()), HasSubstr("not found"));
  HubOptions nowhere = options();
  nowhere.endpoint = "http://127.0.0.1:1";
  EXPECT_THAT(message("org/model", nowhere), HasSubstr("HF_HUB_OFFLINE"));
  nowhere.endpoint = "ftp://x";
  EXPECT_THAT(message("org/model", nowhere), HasSubstr("HF_ENDPOINT"));
  hub_.files = {{"a.gguf", "A"}, {"b.gguf", "B"}};
  hub_.large_files.clear();
  EXPECT_THAT(message("org/model", options()), HasSubstr("a.gguf, b.gguf"));
}

TEST_F(HubTest, FindsGgufFilesByNameAndWithAllTheirParts) {
  hub_.files = {{"m-00001-of-00002.gguf", "1"}, {"m-00002-of-00002.gguf", "2"}, {"n.gguf", "3"}};
  hub_.large_files.clear();
  EXPECT_EQ(fetch("org/model/n.gguf", "main", Part::kModel, options()).filename(), "n.gguf");
  const auto part = fetch("org/model/m-00001-of-00002.gguf", "main", Part::kModel, options());
  EXPECT_EQ(read_file(part.parent_path() / "m-00002-of-00002.gguf"), "2");
  hub_.files = {{"only.gguf", "A"}};
  TemporaryFolder other;
  HubOptions fresh = options();
  fresh.cache = other.path();
  EXPECT_EQ(fetch("org/model", "main", Part::kModel, fresh).filename(), "only.gguf");
}

TEST_F(HubTest, NeverWritesOutsideTheSnapshot) {
  hub_.files["../../evil/tokenizer.json"] = "x";
  hub_.files["additional_chat_templates/../../../evil.jinja"] = "x";
  fetch("org/model", "main", Part::kModel, options());
  for (const auto& entry : std::filesystem::recursive_directory_iterator(cache_.path())) {
    EXPECT_THAT(entry.path().string(), ::testing::Not(HasSubstr("evil")));
  }
}

TEST_F(HubTest, ReportsProgressUpToTheWhole) {
  std::map<std::string, std::uint64_t> done;
  HubOptions watched = options();
  watched.progress = [&](const std::string& file, std::uint64_t bytes, std::uint64_t total) {
    EXPECT_LE(bytes, total);
    done[file] = bytes;
  };
  fetch("org/model", "main", Part::kModel, watched);
  EXPECT_EQ(done["model.safetensors"], hub_.large_files["model.safetensors"].size());
}

TEST(HubName, TellsIdsFromPaths) {
  for (const char* name : {"gpt2", "org/model-1.5B_x", "org/model/sub/file.gguf"}) {
    EXPECT_TRUE(is_hub_name(name)) << name;
  }
  for (const char* name : {"", "/abs", "./rel", "../up", "a/b/c", "a b", "a//b", "a/", "a/../b"}) {
    EXPECT_FALSE(is_hub_name(name)) << name;
  }
}

TEST(Digest, KnownValues) {
  EXPECT_EQ(hash(DigestKind::kSha256, "abc"),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(git_hash("hello\n"), "ce013625030ba8dba906f756967f9e9ca394464a");
}

}  // namespace
}  // namespace aurum::hub
