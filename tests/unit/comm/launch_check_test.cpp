#include "comm/launch_check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "base/error.h"

namespace genrec {
namespace {

using ::testing::HasSubstr;
using Variables = std::map<std::string, std::string>;

Environment from(const Variables& variables) {
  return [variables](const char* name) {
    const auto found = variables.find(name);
    return found == variables.end() ? nullptr : found->second.c_str();
  };
}

std::string refusal(int mpi_size, const Variables& variables) {
  try {
    (void)check_launch(mpi_size, from(variables));
  } catch (const UsageError& error) {
    return error.what();
  }
  return "";
}

TEST(LaunchCheck, GoodLaunches) {
  EXPECT_EQ(check_launch(1, from({})), "");
  // mpirun, alone and in a Slurm allocation of another size.
  EXPECT_EQ(check_launch(4, from({{"OMPI_COMM_WORLD_SIZE", "4"}})), "");
  EXPECT_EQ(check_launch(1, from({{"OMPI_COMM_WORLD_SIZE", "1"}, {"SLURM_NTASKS", "2"}})), "");
  EXPECT_EQ(
      check_launch(
          4, from({{"OMPI_COMM_WORLD_SIZE", "4"}, {"SLURM_NTASKS", "2"}, {"SLURM_STEP_NUM_TASKS", "1"}})),
      "");
  // mpirun of one rank whose daemons are a step of several nodes.
  EXPECT_EQ(check_launch(1, from({{"OMPI_COMM_WORLD_SIZE", "1"}, {"SLURM_STEP_NUM_TASKS", "2"}})), "");
  // srun.
  EXPECT_EQ(check_launch(2, from({{"SLURM_STEP_NUM_TASKS", "2"}, {"SLURM_NTASKS", "2"}})), "");
  EXPECT_EQ(check_launch(1, from({{"SLURM_STEP_NUM_TASKS", "1"}, {"SLURM_NTASKS", "2"}})), "");
}

TEST(LaunchCheck, RefusesWorldsOfOne) {
  const std::string text = refusal(1, {{"SLURM_STEP_NUM_TASKS", "2"}, {"SLURM_NTASKS", "2"}});
  EXPECT_THAT(text, HasSubstr("SLURM_STEP_NUM_TASKS says 2 ranks, but MPI found 1"));
  EXPECT_THAT(text, HasSubstr("srun --mpi=pmix"));
  EXPECT_THAT(text, HasSubstr("mpirun"));
  EXPECT_THAT(refusal(1, {{"OMPI_COMM_WORLD_SIZE", "4"}}), HasSubstr("OMPI_COMM_WORLD_SIZE says 4"));
  EXPECT_THAT(refusal(2, {{"OMPI_COMM_WORLD_SIZE", "4"}}), HasSubstr("MPI found 2"));
  EXPECT_THAT(refusal(1, {{"PMI_SIZE", "3"}}), HasSubstr("PMI_SIZE says 3"));
}

TEST(LaunchCheck, WarnsOfAnUnusedAllocation) {
  EXPECT_THAT(check_launch(1, from({{"SLURM_NTASKS", "2"}})), HasSubstr("2 tasks"));
  EXPECT_EQ(check_launch(1, from({{"SLURM_NTASKS", "1"}})), "");
}

TEST(LaunchCheck, OddValuesAreIgnored) {
  EXPECT_EQ(check_launch(1, from({{"SLURM_STEP_NUM_TASKS", "x"}, {"PMI_SIZE", ""}, {"SLURM_NTASKS", "-3"}})),
            "");
}

TEST(LaunchCheck, SrunWithoutServer) {
  EXPECT_FALSE(is_srun_without_server(from({})));
  EXPECT_FALSE(is_srun_without_server(from({{"SLURM_NTASKS", "2"}})));  // batch shell
  EXPECT_TRUE(is_srun_without_server(from({{"SLURM_STEP_ID", "0"}, {"SLURM_STEP_NUM_TASKS", "1"}})));
  const Variables two = {{"SLURM_STEP_ID", "0"}, {"SLURM_STEP_NUM_TASKS", "2"}};
  EXPECT_THROW((void)is_srun_without_server(from(two)), UsageError);
  for (const char* server : {"OMPI_COMM_WORLD_SIZE", "PMIX_RANK", "PMI_RANK"}) {
    Variables with_server = two;
    with_server.emplace(server, "1");
    EXPECT_FALSE(is_srun_without_server(from(with_server))) << server;
  }
}

TEST(LauncherRank, TrustsTheNearestLauncher) {
  EXPECT_EQ(launcher_rank(from({})), 0);
  EXPECT_EQ(launcher_rank(from({{"OMPI_COMM_WORLD_RANK", "3"}, {"SLURM_PROCID", "0"}})), 3);
  EXPECT_EQ(launcher_rank(from({{"PMIX_RANK", "2"}, {"SLURM_PROCID", "2"}})), 2);
  EXPECT_EQ(launcher_rank(from({{"PMI_RANK", "1"}})), 1);
  EXPECT_EQ(launcher_rank(from({{"SLURM_PROCID", "5"}})), 5);
}

}  // namespace
}  // namespace genrec
