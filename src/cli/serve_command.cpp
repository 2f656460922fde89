// aurum serve: rollouts over HTTP, for a trainer in another process.

#include <atomic>
#include <chrono>
#include <csignal>
#include <thread>

#include <fmt/format.h>

#include "base/error.h"
#include "base/log.h"
#include "cli/command.h"
#include "cli/model_options.h"
#include "serve/rollout_server.h"

namespace aurum::cli {

namespace {

constexpr const char* kLoopback = "127.0.0.1";

struct ServeOptions {
  ModelOptions model;
  std::string host = kLoopback;
  int port = 8001;
};

std::atomic<bool> interrupted{false};

void on_signal(int) { interrupted = true; }

void run_serve(const ServeOptions& options) {
  const auto checkpoint = options.model.load_checkpoint();
  serve::RolloutService service(*checkpoint, options.model.load_tokenizer(),
                                options.model.compute_dtype());
  serve::RolloutServer server(service);
  const int port = server.bind(options.host, options.port);
  if (options.host != kLoopback && options.host != "localhost") {
    log_warning("anyone who reaches {}:{} can use and change the model: there is no password",
                options.host, port);
  }
  std::signal(SIGINT, on_signal);
  std::signal(SIGTERM, on_signal);
  log_info("serving {} at http://{}:{} until Ctrl-C", options.model.name, options.host, port);
  std::thread listener([&server] { server.run(); });
  while (!interrupted) std::this_thread::sleep_for(std::chrono::milliseconds(50));
  server.stop();
  listener.join();
  throw Interrupted("stopped serving");
}

}  // namespace

void add_serve_command(CLI::App& app) {
  auto options = std::make_shared<ServeOptions>();
  CLI::App* command =
      app.add_subcommand("serve", "Serve rollouts to a trainer (training.gold.vllm_mode: server)");
  add_model_options(*command, options->model);
  command->add_option("--host", options->host, "Address to listen on")->capture_default_str();
  command->add_option("--port", options->port, "0 takes a free one")
      ->check(CLI::Range(0, 65535))
      ->capture_default_str();
  command->footer(
      "The trainer sends the student's weights; start this with the same model and --dtype.\n\n"
      "Example: aurum serve --model models/student --port 8001");
  command->callback([options] { run_serve(*options); });
}

}  // namespace aurum::cli
