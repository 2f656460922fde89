// The program: declares the commands, and turns what they throw into one line and an exit code.

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <exception>
#include <ios>
#include <new>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "base/error.h"
#include "base/log.h"
#include "base/parallel.h"
#include "cli/command.h"
#include "cli/config_options.h"
#include "model/tensor_memory.h"

namespace {

constexpr int kUserMistake = 2;
constexpr int kOtherFailure = 1;
constexpr int kInterrupted = 130;

struct GlobalOptions {
  int threads = 0;
  std::string log_level = "info";
  bool no_color = false;
};

void add_global_options(CLI::App& app, GlobalOptions& options) {
  app.add_option("--threads", options.threads, "Threads to use; 0 = one per core")
      ->check(CLI::NonNegativeNumber);
  app.add_option("--log-level", options.log_level, "debug, info, warning, error or silent");
  app.add_flag("--no-color", options.no_color, "Never print colours");
  app.fallthrough();
  app.parse_complete_callback([&options] {
    aurum::set_num_threads(options.threads);
    aurum::model::keep_tensor_memory();
    aurum::set_log_level(aurum::parse_log_level(options.log_level));
    if (options.no_color) aurum::cli::disable_color();
  });
}

void add_commands(CLI::App& app) {
  aurum::cli::add_train_command(app);
  aurum::cli::add_config_command(app);
  aurum::cli::add_generate_command(app);
  aurum::cli::add_serve_command(app);
  aurum::cli::add_tokenize_command(app);
  aurum::cli::add_template_command(app);
  aurum::cli::add_align_command(app);
  aurum::cli::add_logits_command(app);
  aurum::cli::add_loss_command(app);
  aurum::cli::add_inspect_command(app);
  aurum::cli::add_convert_command(app);
  aurum::cli::add_report_command(app);
}

int fail(int code, const std::string& message) {
  std::string line = message;
  for (char& c : line) {
    if (c == '\n') c = ' ';
  }
  fmt::print(stderr, "aurum: {}\n", line);
  return code;
}

int run(int argc, char** argv) {
  CLI::App app{"aurum: distils language models across tokenizers (GOLD)", "aurum"};
  app.footer("Example: aurum train -c configs/demo.yaml\nEvery command has its own --help.");
  app.require_subcommand(1);
  GlobalOptions options;
  add_global_options(app, options);
  add_commands(app);
  for (CLI::App* command : app.get_subcommands({})) command->fallthrough();
  try {
    std::vector<std::string> arguments =
        aurum::cli::rewrite_dotted_overrides({argv + 1, argv + argc});
    std::reverse(arguments.begin(), arguments.end());  // CLI11 takes them from the back.
    app.parse(arguments);
    return 0;
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);
    return fail(kUserMistake, fmt::format("{}. See aurum --help.", error.what()));
  }
}

}  // namespace

int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);
  std::ios::sync_with_stdio(false);  // lets JSON-lines commands see what input is ready
  try {
    return run(argc, argv);
  } catch (const aurum::cli::ExitWithCode& exit) {
    return exit.code;
  } catch (const aurum::Interrupted& error) {
    return fail(kInterrupted, error.what());
  } catch (const aurum::InternalError& error) {
    return fail(kOtherFailure, error.what());
  } catch (const aurum::Error& error) {
    return fail(kUserMistake, error.what());
  } catch (const std::bad_alloc&) {
    return fail(kOtherFailure, "out of memory: use a smaller batch or model");
  } catch (const std::exception& error) {
    return fail(kOtherFailure, error.what());
  }
}
