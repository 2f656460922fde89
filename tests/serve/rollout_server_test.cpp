#include "serve/rollout_server.h"

#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <httplib.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/error.h"
#include "base/log.h"
#include "model/causal_lm.h"
#include "serve/http_rollout_source.h"
#include "tests/support/temporary_folder.h"
#include "tests/support/tiny_model.h"

namespace aurum::serve {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

class RolloutServerTest : public ::testing::Test {
 protected:
  RolloutServerTest() {
    testing_support::write_tiny_model(folder_.path() / "m", {.merges = {"h e", "t he"}});
    tokenizer_ = text::load_tokenizer(folder_.path() / "m");
    checkpoint_ = weights::open_checkpoint(folder_.path() / "m");
    student_ = model::load_causal_lm(*checkpoint_,
                                     {.dtype = model::ComputeDType::kFloat32, .trainable = true});
    service_ =
        std::make_unique<RolloutService>(*checkpoint_, tokenizer_, model::ComputeDType::kFloat32);
    server_ = std::make_unique<RolloutServer>(*service_);
    port_ = server_->bind("127.0.0.1", 0);
    listener_ = std::thread([this] { server_->run(); });
  }
  ~RolloutServerTest() override {
    server_->stop();
    listener_.join();
  }

  const std::vector<std::int32_t>& ends() const { return tokenizer_->special_tokens().end_of_turn; }

  HttpRolloutSource client(std::int64_t sync_frequency = 1) {
    return {*student_, {.port = port_, .timeout_seconds = 5.0}, sync_frequency, ends()};
  }

  std::vector<rollout::RolloutRequest> requests() const {
    std::vector<rollout::RolloutRequest> requests(5);
    for (std::size_t i = 0; i < requests.size(); ++i) {
      requests[i].prompt_ids = tokenizer_->encode("the " + std::string(i, 'x'), false).ids;
      requests[i].sampling.max_new_tokens = 12;
      requests[i].sampling.temperature = i == 4 ? 0.0 : 0.9;  // two kinds of sampling
      requests[i].seed = 3;
      requests[i].stream_index = 100 + i;
    }
    return requests;
  }

  std::vector<std::vector<std::int32_t>> ids_of(rollout::RolloutSource& source) const {
    std::vector<std::vector<std::int32_t>> ids;
    for (const auto& rollout : source.generate(requests())) ids.push_back(rollout.completion_ids);
    return ids;
  }

  httplib::Result post(const std::string& path, const std::string& body) const {
    return httplib::Client("127.0.0.1", port_).Post(path, body, "application/json");
  }

  testing_support::TemporaryFolder folder_;
  std::shared_ptr<const text::Tokenizer> tokenizer_;
  std::shared_ptr<const weights::Checkpoint> checkpoint_;
  std::unique_ptr<model::CausalLm> student_;
  std::unique_ptr<RolloutService> service_;
  std::unique_ptr<RolloutServer> server_;
  int port_ = 0;
  std::thread listener_;
};

TEST_F(RolloutServerTest, ItsClientGivesTheTokensOfTheLocalSource) {
  rollout::LocalRolloutSource local(*student_, ends(), tokenizer_->vocab_size());
  HttpRolloutSource remote = client(2);
  const auto before = ids_of(local);
  EXPECT_EQ(ids_of(remote), before);
  for (const model::NamedParameter& parameter : student_->parameters()) {
    parameter.tensor->detach().mul_(1.25);
  }
  local.sync_weights();
  const auto after = ids_of(local);
  EXPECT_NE(after, before);
  remote.sync_weights();
  EXPECT_EQ(ids_of(remote), before);  // every second update only
  remote.sync_weights();
  EXPECT_EQ(ids_of(remote), after);
}

TEST_F(RolloutServerTest, SpeaksTheWordsOfVllmServe) {
  httplib::Client http("127.0.0.1", port_);
  EXPECT_EQ(json::parse(http.Get("/health/")->body)["status"], "ok");
  EXPECT_EQ(json::parse(http.Get("/get_world_size/")->body)["world_size"], 1);
  const auto answer = post(
      "/generate/",
      json{{"prompts", {"the", "in"}}, {"n", 3}, {"max_tokens", 4}, {"top_k", -1}, {"logprobs", 0}}
          .dump());
  ASSERT_EQ(answer->status, 200) << answer->body;
  const json body = json::parse(answer->body);
  EXPECT_EQ(body["prompt_ids"].size(), 2u);
  ASSERT_EQ(body["completion_ids"].size(), 6u);
  EXPECT_NE(body["completion_ids"][0], body["completion_ids"][1]);
  EXPECT_LE(body["completion_ids"][5].size(), 4u);
}

TEST_F(RolloutServerTest, AnswersHostileRequestsWithTheirMistake) {
  const std::pair<std::string, std::string> bodies[] = {
      {"", "no JSON"},
      {"[1]", "JSON object"},
      {"{\"prompts\": \"the\"}", "a list of 1 to"},
      {"{\"prompts\": []}", "a list of 1 to"},
      {"{\"prompts\": [\"the\"], \"n\": 100000}", "/n must be a whole number from 1"},
      {"{\"prompts\": [\"the\"], \"n\": 1e400}", "no JSON"},
      {"{\"prompts\": [[1.5]]}", "for an id"},
      {"{\"prompts\": [[-1]]}", "for an id"},
      {"{\"prompts\": [[2147483647]]}", "outside of the model"},
      {"{\"prompts\": [[]]}", "no tokens"},
      {"{\"prompts\": [{}]}", "texts or lists of ids"},
      {"{\"prompts\": [\"the\"], \"max_tokens\": 0}", "/max_tokens"},
      {"{\"prompts\": [\"the\"], \"max_tokens\": 1e18}", "/max_tokens"},
      {"{\"prompts\": [\"the\"], \"temperature\": -1}", "temperature"},
      {"{\"prompts\": [\"the\"], \"temperature\": \"hot\"}", "/temperature must be a number"},
      {"{\"prompts\": [\"the\"], \"top_p\": 0}", "top_p"},
      {"{\"prompts\": [\"the\"], \"seed\": -1}", "/seed"},
      {"{\"prompts\": [\"the\"], \"stream_indices\": [1, 2]}", "/stream_indices"},
      {"{\"prompts\": [\"the\"], \"min_p\": 0.1}", "/min_p is not supported"},
      {"{\"prompts\": [\"the\"], \"shell\": \"rm\"}", "/shell is not known"},
      {"{\"prompts\": [\"the\"], \"guided_decoding_regex\": \"(\"}", "is not closed"},
      {std::string(1'000'000, '['), "too deeply"},
      {"{\"prompts\": [\"the\"], \"n\": " + std::string(1'000'000, '[') +
           std::string(1'000'000, ']') + "}",
       "too deeply"},
      {json{{"prompts", {std::vector<int>(100'000, 1)}}, {"n", 1000}}.dump(),
       "more than 16777216 tokens"},
      {json{{"prompts", {std::string(2'000'000, 'x')}}}.dump(), "the limit is 1048576"},
      {json{{"prompts", {std::vector<int>(200'000, 1)}}}.dump(), "the limit is 131072"}};
  for (const auto& [body, message] : bodies) {
    const auto answer = post("/generate/", body);
    ASSERT_TRUE(answer) << body.substr(0, 60);
    EXPECT_EQ(answer->status, 400) << body.substr(0, 60);
    EXPECT_THAT(answer->body, HasSubstr(message)) << body.substr(0, 60);
  }
  EXPECT_EQ(post("/nothing", "{}")->status, 404);
  EXPECT_EQ(post("/generate/", json{{"prompts", {"the"}}}.dump())->status, 200);
}

TEST_F(RolloutServerTest, SpeaksTheWordsOfTrlsClient) {
  httplib::Client http("127.0.0.1", port_);
  EXPECT_EQ(json::parse(http.Get("/v1/models")->body)["data"][0]["id"], "aurum");
  const json request = {{"model", "aurum"},
                        {"prompt", {"the", "in"}},
                        {"n", 2},
                        {"return_token_ids", true},
                        {"max_tokens", 4},
                        {"return_tokens_as_token_ids", true},
                        {"logprobs", 0},
                        {"structured_outputs", {{"regex", "he|x+"}}},
                        {"repetition_penalty", 1}};
  const auto answer = post("/v1/completions", request.dump());
  ASSERT_EQ(answer->status, 200) << answer->body;
  const json choices = json::parse(answer->body)["choices"];
  ASSERT_EQ(choices.size(), 4u);
  EXPECT_EQ(choices[1]["prompt_token_ids"], choices[0]["prompt_token_ids"]);
  EXPECT_NE(choices[2]["prompt_token_ids"], choices[0]["prompt_token_ids"]);
  EXPECT_THAT(choices[3]["text"].get<std::string>(), ::testing::MatchesRegex("he?|x+"));
  EXPECT_LE(choices[3]["token_ids"].size(), 4u);
  for (const char* prompt : {"\"the\"", "[1, 2]", "[[1, 2]]"}) {
    const auto one = post("/v1/completions", "{\"prompt\": " + std::string(prompt) + "}");
    EXPECT_EQ(json::parse(one->body)["choices"].size(), 1u) << one->body;
  }
  const std::pair<std::string, std::string> bodies[] = {
      {"[]", "JSON object"},
      {"{}", "a list of 1 to"},
      {"{\"prompt\": 5}", "a list of 1 to"},
      {"{\"prompt\": \"a\", \"stream\": true}", "/stream is not known"},
      {"{\"prompt\": \"a\", \"structured_outputs\": {\"json\": {}}}", "/structured_outputs"}};
  for (const auto& [body, message] : bodies) {
    const auto refusal = post("/v1/completions", body);
    EXPECT_EQ(refusal->status, 400) << body;
    EXPECT_THAT(refusal->body, HasSubstr(message)) << body;
  }
}

TEST_F(RolloutServerTest, RepeatsARolloutOnlyForASeed) {
  const auto answer = [&](const json& more) {
    json body = {{"prompts", {"the"}}, {"n", nullptr}, {"max_tokens", 12}};
    body.update(more);
    return post("/generate/", body.dump())->body;
  };
  EXPECT_EQ(answer({{"seed", 7}}), answer({{"seed", 7}}));
  EXPECT_NE(answer(json::object()), answer(json::object()));
}

TEST_F(RolloutServerTest, UsesATensorFromWhenItCame) {
  const std::string body = json{{"prompts", {"the"}}, {"max_tokens", 3}, {"temperature", 0}}.dump();
  const std::vector<std::int32_t> zeros = {0, 0, 0};
  EXPECT_NE(json::parse(post("/generate/", body)->body)["completion_ids"][0], zeros);
  // Logits that are all the same: the first id.
  const std::string norm = "/update_named_param/?name=model.norm.weight&dtype=float32&shape=32";
  EXPECT_EQ(post(norm, std::string(128, '\0'))->status, 200);
  EXPECT_EQ(json::parse(post("/generate/", body)->body)["completion_ids"][0], zeros);
}

TEST_F(RolloutServerTest, SharesItsPortWithNobody) {
  EXPECT_THROW(RolloutServer(*service_).bind("127.0.0.1", port_), IoError);
}

TEST_F(RolloutServerTest, EndsRolloutsWhenItStops) {
  service_->stop();
  const auto answer = post("/generate/", json{{"prompts", {"the"}}}.dump());
  EXPECT_EQ(answer->status, 503);
  EXPECT_THAT(answer->body, HasSubstr("stopping"));
}

TEST_F(RolloutServerTest, TakesNoTensorThatDoesNotFit) {
  const std::string norm = "/update_named_param/?name=model.norm.weight";
  const std::pair<std::string, std::string> requests[] = {
      {"/update_named_param/", "not over NCCL"},
      {"/init_communicator/", "not over NCCL"},
      {norm + "&dtype=float32&shape=32", "bytes came, not 128"},
      {norm + "&dtype=float32&shape=31", "has the shape [32], not [31]"},
      {norm + "&dtype=float32&shape=-32", "sizes with commas"},
      {norm + "&dtype=float32&shape=1,2,3,4,5,6,7,8,9", "sizes with commas"},
      {norm + "&dtype=int8&shape=32", "supported: float32, bfloat16"},
      {"/update_named_param/?name=secret&dtype=float32&shape=1", "no such tensor"}};
  for (const auto& [path, message] : requests) {
    const auto answer = post(path, "1234");
    EXPECT_EQ(answer->status, 400) << path;
    EXPECT_THAT(answer->body, HasSubstr(message)) << path;
  }
}

std::string failure_of(const std::function<void()>& work) {
  try {
    work();
  } catch (const IoError& error) {
    return error.what();
  }
  return "no error";
}

TEST_F(RolloutServerTest, ItsClientSaysWhenNobodyAnswers) {
  const auto connect = [&] {
    const RolloutServerAddress nobody{.port = 1, .timeout_seconds = 0.3};
    HttpRolloutSource(*student_, nobody, 1, ends());
  };
  EXPECT_THAT(failure_of(connect), HasSubstr("did not answer within 0.3 s"));
}

// Accepts connections and never says a word.
class MuteServer {
 public:
  MuteServer() : socket_(socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* const any = reinterpret_cast<sockaddr*>(&address);
    EXPECT_EQ(bind(socket_, any, size) | listen(socket_, 8) | getsockname(socket_, any, &size), 0);
    port_ = ntohs(address.sin_port);
  }
  ~MuteServer() { close(socket_); }
  int port() const { return port_; }

 private:
  int socket_, port_ = 0;
};

TEST_F(RolloutServerTest, ItsClientWaitsNoLongerForAMuteServer) {
  const MuteServer mute;
  const auto connect = [&] {
    HttpRolloutSource(*student_, {.port = mute.port(), .timeout_seconds = 0.3}, 1, ends());
  };
  EXPECT_THAT(failure_of(connect), HasSubstr("did not answer within 0.3 s"));
}

// A server that says what it is told to.
class FalseServer {
 public:
  explicit FalseServer(const std::string& answer) {
    http_.Get("/health/", [](const auto&, auto& r) {
      r.set_content("{\"server\": \"aurum\"}", "application/json");
    });
    const auto reply = [answer](const auto& request, auto& r) {
      r.set_content(request.path == "/generate/" ? answer : "{}", "application/json");
    };
    http_.Post(".*", reply);
    http_.set_tcp_nodelay(true);
    port_ = http_.bind_to_any_port("127.0.0.1");
    listener_ = std::thread([this] { http_.listen_after_bind(); });
  }
  ~FalseServer() {
    while (!http_.is_running()) std::this_thread::yield();
    http_.stop();
    listener_.join();
  }
  int port() const { return port_; }

 private:
  httplib::Server http_;
  int port_ = 0;
  std::thread listener_;
};

TEST_F(RolloutServerTest, ItsClientChecksEveryAnswer) {
  const std::string end = std::to_string(ends().front());
  const std::pair<std::string, const char*> answers[] = {
      {"no JSON", "/generate/ answered 200"},
      {"{}", "no lists of completion_ids"},
      {"{\"completion_ids\": [[\"a\"]]}", "no lists of completion_ids"},
      {"{\"completion_ids\": []}", "0 completions came for 4 prompts"},
      {"{\"completion_ids\": [[], [1], [1], [1]]}", "a completion is empty"},
      {"{\"completion_ids\": [[1], [-1], [1], [1]]}", "ids that the student lacks"},
      {"{\"completion_ids\": [[1], [1], [99999], [1]]}", "ids that the student lacks"},
      {"{\"completion_ids\": [[" + end + ", 1], [1], [1], [1]]}", "after its end of turn"}};
  for (const auto& [answer, message] : answers) {
    const FalseServer server(answer);
    HttpRolloutSource source(*student_, {.port = server.port(), .timeout_seconds = 5.0}, 1, ends());
    EXPECT_THAT(failure_of([&] { source.generate(requests()); }), HasSubstr(message)) << answer;
  }
}

}  // namespace
}  // namespace aurum::serve
