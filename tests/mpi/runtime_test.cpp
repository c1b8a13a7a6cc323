#include "app/runtime.h"

#include <gmock/gmock.h>

#include "base/error.h"
#include "mpi/mpi_main.h"
#include "nn/precision.h"

namespace genrec {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

RankDevice on_gpu(const std::string& host, const std::string& gpu, const std::string& bf16_warning = "") {
  return {.host = host, .built_with_cuda = true, .gpu = gpu, .bf16_warning = bf16_warning};
}
RankDevice on_cpu(const std::string& host, bool built_with_cuda = true) {
  return {.host = host, .built_with_cuda = built_with_cuda, .gpu = "", .bf16_warning = ""};
}

RunOptions options(const std::string& device, const std::string& comm, const std::string& precision = "f32") {
  RunOptions run;
  run.device = device;
  run.comm = comm;
  run.precision = precision;
  return run;
}

std::string refusal(const RunOptions& run, const std::vector<RankDevice>& ranks) {
  try {
    (void)plan_devices(run, ranks);
  } catch (const UsageError& error) {
    return error.what();
  }
  return "accepted";
}

TEST(PlanDevices, AGpuEachTakesNccl) {
  // The same place in another host is another GPU.
  const std::vector<RankDevice> two = {on_gpu("a", "0000:65:00.0"), on_gpu("b", "0000:65:00.0")};
  for (const char* device : {"auto", "cuda"}) {
    const DevicePlan plan = plan_devices(options(device, "auto"), two);
    EXPECT_TRUE(plan.cuda);
    EXPECT_TRUE(plan.nccl);
    EXPECT_THAT(plan.warnings, IsEmpty());
  }
  EXPECT_FALSE(plan_devices(options("auto", "mpi"), two).nccl);
  EXPECT_FALSE(plan_devices(options("cpu", "auto"), two).cuda);
}

TEST(PlanDevices, NcclOnOneRankOnlyWhenAskedFor) {
  const std::vector<RankDevice> one = {on_gpu("a", "0")};
  EXPECT_FALSE(plan_devices(options("auto", "auto"), one).nccl);
  EXPECT_TRUE(plan_devices(options("auto", "nccl"), one).nccl);
}

TEST(PlanDevices, RanksThatShareAGpuSumOverMpi) {
  const std::vector<RankDevice> three = {on_gpu("a", "0"), on_gpu("a", "1"), on_gpu("a", "0")};
  const DevicePlan plan = plan_devices(options("auto", "auto"), three);
  EXPECT_TRUE(plan.cuda);
  EXPECT_FALSE(plan.nccl);
  EXPECT_THAT(plan.warnings,
              ElementsAre(AllOf(HasSubstr("ranks 0 and 2 share a GPU on a"), HasSubstr("over MPI"))));
  EXPECT_THAT(plan_devices(options("auto", "mpi"), three).warnings, IsEmpty());
  EXPECT_THAT(refusal(options("auto", "nccl"), three),
              AllOf(HasSubstr("--run.comm nccl: ranks 0 and 2 share"), HasSubstr("--run.comm mpi")));
}

TEST(PlanDevices, RanksWithAndWithoutGpusAreRefused) {
  const std::vector<RankDevice> mixed = {on_gpu("a", "0"), on_cpu("bare"), on_cpu("bare")};
  EXPECT_THAT(refusal(options("auto", "auto"), mixed),
              AllOf(HasSubstr("2 of 3 ranks"), HasSubstr("rank 1 on bare")));
  EXPECT_THAT(refusal(options("cuda", "auto"), mixed), HasSubstr("no GPU is visible on bare"));
  EXPECT_EQ(refusal(options("cpu", "auto"), mixed), "accepted");
  EXPECT_FALSE(plan_devices(options("auto", "auto"), std::vector{on_cpu("a"), on_cpu("b")}).cuda);
}

TEST(PlanDevices, WhatTheProgramOrTheNodeLacksIsSaid) {
  EXPECT_THAT(refusal(options("cuda", "auto"), {on_cpu("a", false)}), HasSubstr("built without CUDA"));
  EXPECT_THAT(refusal(options("auto", "nccl"), {on_cpu("a")}), HasSubstr("--run.comm nccl needs GPUs"));
  EXPECT_THAT(refusal(options("cpu", "nccl"), {on_gpu("a", "0")}), HasSubstr("--run.comm nccl needs GPUs"));
}

TEST(PlanDevices, OneRankWithoutBf16TakesAllToF32) {
  const RunOptions bf16 = options("auto", "auto", "bf16");
  EXPECT_EQ(plan_devices(bf16, std::vector{on_gpu("a", "0"), on_gpu("a", "1")}).precision,
            Precision::kBFloat16);
  const std::vector<RankDevice> old = {on_gpu("a", "0"), on_gpu("b", "0", "no bf16")};
  EXPECT_EQ(plan_devices(bf16, old).precision, Precision::kFloat32);
  EXPECT_THAT(plan_devices(bf16, old).warnings, ElementsAre("b: no bf16"));
  EXPECT_THAT(plan_devices(options("auto", "auto"), old).warnings, IsEmpty());
}

/// This program is linked without LibTorch's CUDA part: it sees no GPU anywhere.
TEST(ChooseRuntime, AllRanksAgreeOrAllAreRefused) {
  MpiRuntime& mpi = test::runtime();
  RunOptions run = options("auto", "auto", "bf16");
  run.threads = 1;
  const Runtime runtime = choose_runtime(run, mpi);
  EXPECT_TRUE(runtime.device.is_cpu());
  EXPECT_EQ(runtime.threads, 1);
  EXPECT_EQ(runtime.reducer, nullptr);
  EXPECT_EQ(runtime.precision, effective_precision(Precision::kBFloat16, at::kCPU));
  for (const auto& [device, comm] : {std::pair("cuda", "auto"), std::pair("auto", "nccl")}) {
    run.device = device;
    run.comm = comm;
    EXPECT_THROW((void)choose_runtime(run, mpi), UsageError) << device << " " << comm;
  }
}

}  // namespace
}  // namespace genrec
