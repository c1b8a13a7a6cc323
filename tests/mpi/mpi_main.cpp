// The main of all MPI tests: MPI is started once, and one failing rank fails the run. A fatal failure ends
// all ranks at once, since the others may be waiting in a collective.
#include "mpi/mpi_main.h"

#include <gtest/gtest.h>

#include <cstdio>

namespace genrec::test {
namespace {

MpiRuntime* the_runtime = nullptr;

class RankListener : public ::testing::EmptyTestEventListener {
 public:
  void OnTestPartResult(const ::testing::TestPartResult& result) override {
    if (!result.failed()) return;
    std::fprintf(stderr, "rank %d: %s:%d: failure in %s\n%s\n", runtime().rank(),
                 result.file_name() ? result.file_name() : "?", result.line_number(), test_.c_str(),
                 result.message());
    if (result.fatally_failed()) runtime().abort(1);
  }
  void OnTestStart(const ::testing::TestInfo& info) override {
    test_ = std::string(info.test_suite_name()) + "." + info.name();
  }
  /// Tests that end out of step would otherwise meet in the wrong collectives.
  void OnTestEnd(const ::testing::TestInfo&) override { runtime().world().barrier(); }

 private:
  std::string test_;
};

}  // namespace

MpiRuntime& runtime() {
  return *the_runtime;
}

}  // namespace genrec::test

int main(int argc, char** argv) {
  ::testing::InitGoogleTest(&argc, argv);
  genrec::MpiRuntime runtime(argc, argv);
  genrec::test::the_runtime = &runtime;
  auto& listeners = ::testing::UnitTest::GetInstance()->listeners();
  if (runtime.rank() != 0) delete listeners.Release(listeners.default_result_printer());
  listeners.Append(new genrec::test::RankListener);
  const bool failed = RUN_ALL_TESTS() != 0;
  const bool any_failed = runtime.world().any(failed);
  if (any_failed && !failed && runtime.rank() == 0) std::fprintf(stderr, "a test failed on another rank\n");
  return any_failed ? 1 : 0;
}
