#include "tests/support/program.h"

#include <algorithm>
#include <chrono>
#include <csignal>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <thread>

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>

#include "tests/support/temporary_folder.h"

extern char** environ;

namespace aurum::testing_support {

namespace {

std::string read_all(const std::filesystem::path& path) {
  std::ifstream stream(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

std::size_t count_lines(const std::string& path) {
  const std::string text = read_all(path);
  return static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'));
}

// A started program whose standard streams are files of a temporary folder.
class Running {
 public:
  Running(std::vector<std::string> arguments, const std::string& input) {
    std::ofstream(folder_.path() / "in", std::ios::binary) << input;
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    const auto redirect = [&](int stream, const char* name, int flags) {
      posix_spawn_file_actions_addopen(&actions, stream, (folder_.path() / name).c_str(), flags,
                                       0600);
    };
    redirect(0, "in", O_RDONLY);
    redirect(1, "out", O_WRONLY | O_CREAT);
    redirect(2, "err", O_WRONLY | O_CREAT);
    arguments.insert(arguments.begin(), AURUM_PROGRAM);
    arguments.insert(arguments.end(), {"--threads", "1"});
    std::vector<char*> words;
    for (std::string& argument : arguments) words.push_back(argument.data());
    words.push_back(nullptr);
    if (posix_spawn(&process_, AURUM_PROGRAM, &actions, nullptr, words.data(), environ) != 0) {
      throw std::runtime_error(std::string("cannot start ") + AURUM_PROGRAM);
    }
    posix_spawn_file_actions_destroy(&actions);
  }

  bool has_ended() { return waitpid(process_, &status_, WNOHANG) == process_; }
  void send(int signal) { ::kill(process_, signal); }
  void wait() { waitpid(process_, &status_, 0); }

  ProgramResult result() const {
    return {.exit_code = WIFEXITED(status_) ? WEXITSTATUS(status_) : 128 + WTERMSIG(status_),
            .out = read_all(folder_.path() / "out"),
            .err = read_all(folder_.path() / "err")};
  }

 private:
  TemporaryFolder folder_;
  pid_t process_ = -1;
  int status_ = 0;
};

}  // namespace

ProgramResult run_aurum(std::vector<std::string> arguments, const std::string& input) {
  Running running(std::move(arguments), input);
  running.wait();
  return running.result();
}

ProgramResult run_aurum_until(std::vector<std::string> arguments, const std::string& file,
                              std::size_t num_lines) {
  Running running(std::move(arguments), {});
  while (!running.has_ended()) {
    if (count_lines(file) >= num_lines) {
      running.send(SIGKILL);
      running.wait();
      break;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return running.result();
}

class ProgramBeside::Process : public Running {
 public:
  using Running::Running;
};

ProgramBeside::ProgramBeside(std::vector<std::string> arguments, const std::string& sign)
    : process_(std::make_unique<Process>(std::move(arguments), std::string())) {
  while (err().find(sign) == std::string::npos) {
    if (process_->has_ended()) throw std::runtime_error("it ended: " + err());
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
}

ProgramBeside::~ProgramBeside() {
  if (process_) stop();
}

std::string ProgramBeside::err() const { return process_->result().err; }

ProgramResult ProgramBeside::stop() {
  process_->send(SIGINT);
  process_->wait();
  ProgramResult result = process_->result();
  process_.reset();
  return result;
}

}  // namespace aurum::testing_support
