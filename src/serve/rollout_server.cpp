#include "serve/rollout_server.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <functional>
#include <thread>

#include <httplib.h>

#include "base/error.h"
#include "base/log.h"

namespace aurum::serve {

namespace {

using nlohmann::json;

constexpr std::size_t kMostJsonBytes = std::size_t{16} << 20;
constexpr int kMostNesting = 8;  // of JSON; deeper values could use up the stack
constexpr int kReadSeconds = 30, kWriteSeconds = 30;
constexpr std::size_t kNumThreads = 8;  // clients that are served, or wait, at once
constexpr std::size_t kMostRequestsPerConnection = 1000;  // a tensor each

constexpr const char* kNoNccl =
    "weights come in the body of /update_named_param/ here, not over NCCL";

std::vector<std::int64_t> shape_of(const std::string& text) {
  std::vector<std::int64_t> shape;
  const char *at = text.data(), *end = text.data() + text.size();
  while (at < end) {
    std::int64_t size = 0;
    const auto [stop, error] = std::from_chars(at, end, size);
    if (error != std::errc() || size < 0 || shape.size() == 8 || (stop < end && *stop != ',')) {
      throw InputError("shape must be sizes with commas between them");
    }
    shape.push_back(size);
    at = stop + 1;
  }
  return shape;
}

void answer(httplib::Response& response, int status, const json& body) {
  response.status = status;
  response.set_content(body.dump(-1, ' ', false, json::error_handler_t::replace),
                       "application/json");
}

json parse_body(const httplib::Request& request) {
  if (request.body.size() > kMostJsonBytes) {
    throw InputError(
        fmt::format("the body has {} bytes; the limit is {}", request.body.size(), kMostJsonBytes));
  }
  const auto check_depth = [](int depth, json::parse_event_t, json&) {
    if (depth > kMostNesting) throw InputError("the body nests its values too deeply");
    return true;
  };
  json body = json::parse(request.body, check_depth, false);
  if (body.is_discarded()) throw InputError("the body is no JSON");
  return body;
}

// The library's own choice, SO_REUSEPORT, lets two servers share a port without a word.
void reuse_address(socket_t socket) {
  const int yes = 1;
  setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
}

using Work = std::function<json(const httplib::Request&)>;

// Turns what `work` throws into a status.
httplib::Server::Handler guarded(Work work) {
  return [work = std::move(work)](const httplib::Request& request, httplib::Response& response) {
    try {
      answer(response, 200, work(request));
    } catch (const InternalError& error) {
      log_warning("{}", error.what());
      answer(response, 500, {{"error", "internal error"}});
    } catch (const Interrupted& error) {
      answer(response, 503, {{"error", error.what()}});
    } catch (const Error& error) {
      answer(response, 400, {{"error", error.what()}});
    } catch (const std::exception& error) {
      log_warning("{}", error.what());
      answer(response, 500, {{"error", "internal error"}});
    }
  };
}

}  // namespace

struct RolloutServer::State {
  explicit State(RolloutService& served) : service(served) {}

  void add(const char* path, bool is_post, const Work& work) {
    const std::string name = path;
    for (const std::string& form : {name, name + "/"}) {
      if (is_post) {
        http.Post(form, guarded(work));
      } else {
        http.Get(form, guarded(work));
      }
    }
  }

  void add_routes() {
    add("/health", false, [](const auto&) { return json{{"status", "ok"}, {"server", "aurum"}}; });
    add("/get_world_size", false, [](const auto&) { return json{{"world_size", 1}}; });
    add("/generate", true, [this](const auto& r) { return service.generate(parse_body(r)); });
    add("/v1/completions", true, [this](const auto& r) { return service.complete(parse_body(r)); });
    add("/v1/models", false, [](const auto&) { return json{{"data", {{{"id", "aurum"}}}}}; });
    add("/update_named_param", true, [this](const auto& r) { return update(r); });
    add("/reset_prefix_cache", true, [](const auto&) { return json{{"status", "ok"}}; });
    add("/init_communicator", true, [](const auto&) -> json { throw InputError(kNoNccl); });
    add("/close_communicator", true, [](const auto&) { return json{{"status", "ok"}}; });
    for (const char* path : {"/chat", "/get_sequence_logprobs"}) {
      add(path, true, [path](const auto&) -> json {
        throw InputError(fmt::format("{} is not there yet; send token ids to /generate/", path));
      });
    }
  }

  json update(const httplib::Request& request) {
    if (!request.has_param("name")) throw InputError(kNoNccl);
    service.update_parameter(request.get_param_value("name"), request.get_param_value("dtype"),
                             shape_of(request.get_param_value("shape")),
                             std::as_bytes(std::span(request.body)));
    return {{"status", "ok"}};
  }

  RolloutService& service;
  httplib::Server http;
};

RolloutServer::RolloutServer(RolloutService& service) : state_(std::make_unique<State>(service)) {
  httplib::Server& http = state_->http;
  http.new_task_queue = [] { return new httplib::ThreadPool(kNumThreads); };
  http.set_keep_alive_max_count(kMostRequestsPerConnection);
  http.set_payload_max_length(std::max(kMostJsonBytes, service.largest_tensor_bytes()));
  http.set_socket_options(reuse_address);
  http.set_tcp_nodelay(true);
  http.set_read_timeout(kReadSeconds);
  http.set_write_timeout(kWriteSeconds);
  state_->add_routes();
}

RolloutServer::~RolloutServer() = default;

int RolloutServer::bind(const std::string& host, int port) {
  if (port == 0) {
    port = state_->http.bind_to_any_port(host);
    if (port > 0) return port;
  } else if (state_->http.bind_to_port(host, port)) {
    return port;
  }
  throw IoError(fmt::format("{}:{}: cannot listen there; is the port taken? Choose another --port",
                            host, port));
}

void RolloutServer::run() { state_->http.listen_after_bind(); }

void RolloutServer::stop() {
  state_->service.stop();
  // The library forgets a stop that comes before it listens.
  for (int i = 0; i < 1000 && !state_->http.is_running(); ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  state_->http.stop();
}

}  // namespace aurum::serve
