#include "base/stop_signal.h"

#include <gtest/gtest.h>

#include <csignal>
#include <string>

namespace genrec {
namespace {

int own_handler_calls = 0;
void own_handler(int) {
  ++own_handler_calls;
}

TEST(StopSignal, RemembersEachSignal) {
  for (const auto& [signal, text] :
       {std::pair(SIGUSR1, "signal SIGUSR1"), std::pair(SIGTERM, "signal SIGTERM")}) {
    const StopSignal stop;
    EXPECT_FALSE(stop.requested());
    EXPECT_STREQ(stop.reason(), "");
    std::raise(signal);
    EXPECT_TRUE(stop.requested());
    EXPECT_STREQ(stop.reason(), text);
  }
}

TEST(StopSignal, RestoresTheHandlerBefore) {
  const auto before = std::signal(SIGUSR1, own_handler);
  {
    const StopSignal stop;
    std::raise(SIGUSR1);
    EXPECT_EQ(own_handler_calls, 0);
  }
  std::raise(SIGUSR1);
  EXPECT_EQ(own_handler_calls, 1);
  std::signal(SIGUSR1, before);
}

TEST(StopSignal, TimeLimit) {
  const StopSignal stop(std::chrono::duration<double>(0.0));
  EXPECT_TRUE(stop.requested());
  EXPECT_STREQ(stop.reason(), "time limit");
}

TEST(StopSignal, TimeLimitNotYetOver) {
  const StopSignal stop(std::chrono::duration<double>(3600.0));
  EXPECT_FALSE(stop.requested());
}

TEST(StopSignal, KnowsWhatCameBeforeIt) {
  const auto before = std::signal(SIGUSR1, own_handler);
  own_handler_calls = 0;
  listen_for_stop_signals();
  std::raise(SIGUSR1);
  {
    const StopSignal stop;
    EXPECT_STREQ(stop.reason(), "signal SIGUSR1");
  }
  EXPECT_EQ(own_handler_calls, 0);
  stop_listening();
  EXPECT_EQ(own_handler_calls, 1) << "the signal acts once nobody listens";
  std::signal(SIGUSR1, before);
}

}  // namespace
}  // namespace genrec
