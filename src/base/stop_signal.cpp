#include "base/stop_signal.h"

#include <atomic>
#include <csignal>

namespace genrec {
namespace {

// A handler may touch nothing but this.
std::atomic<int> received = 0;
static_assert(std::atomic<int>::is_always_lock_free);
std::atomic<bool> installed = false;
struct sigaction old_user, old_terminate;

void remember(int signal) {
  received.store(signal, std::memory_order_relaxed);
}

}  // namespace

void listen_for_stop_signals() {
  if (installed.exchange(true)) return;
  received = 0;
  struct sigaction action = {};
  action.sa_handler = remember;
  sigemptyset(&action.sa_mask);
  // Reads and writes under way go on as if nothing had come.
  action.sa_flags = SA_RESTART;
  sigaction(SIGUSR1, &action, &old_user);
  sigaction(SIGTERM, &action, &old_terminate);
}

void stop_listening() {
  if (!installed.exchange(false)) return;
  sigaction(SIGUSR1, &old_user, nullptr);
  sigaction(SIGTERM, &old_terminate, nullptr);
  if (const int signal = received.exchange(0); signal != 0) raise(signal);
}

StopSignal::StopSignal(std::optional<std::chrono::duration<double>> limit) : listens_(!installed) {
  if (limit) {
    deadline_ = std::chrono::steady_clock::now() +
                std::chrono::duration_cast<std::chrono::steady_clock::duration>(*limit);
  }
  listen_for_stop_signals();
}

StopSignal::~StopSignal() {
  if (!listens_) return;
  received = 0;
  stop_listening();
}

bool StopSignal::requested() const {
  return *reason() != '\0';
}

const char* StopSignal::reason() const {
  switch (received.load(std::memory_order_relaxed)) {
    case SIGUSR1:
      return "signal SIGUSR1";
    case SIGTERM:
      return "signal SIGTERM";
    default:
      return deadline_ && std::chrono::steady_clock::now() >= *deadline_ ? "time limit" : "";
  }
}

}  // namespace genrec
