#include "nn/sinkhorn.h"

#include <ATen/Parallel.h>

#include <barrier>
#include <cmath>
#include <mutex>
#include <thread>
#include <vector>

#include "base/error.h"
#include "unit/nn/random_tensors.h"

namespace genrec {
namespace {

/// The same plan by scaling vectors in long double: B diag(u) M diag(v) with M = exp(-scaled / epsilon).
at::Tensor plan_by_scaling(const at::Tensor& distances, double epsilon, int iterations) {
  const at::Tensor d = distances.to(at::kDouble).contiguous();
  const auto rows = static_cast<std::size_t>(d.size(0)), codes = static_cast<std::size_t>(d.size(1));
  const long double largest = d.max().item<double>(), smallest = d.min().item<double>();
  const long double middle = (largest + smallest) / 2, amplitude = largest - middle + 1e-5L;
  std::vector<long double> m(rows * codes), u(rows, 1), v(codes, 1);
  for (std::size_t i = 0; i < m.size(); ++i)
    m[i] =
        std::exp(-(d.const_data_ptr<double>()[i] - middle) / amplitude / static_cast<long double>(epsilon));
  for (int i = 0; i < iterations; ++i) {
    for (std::size_t b = 0; b < rows; ++b) {
      long double sum = 0;
      for (std::size_t k = 0; k < codes; ++k) sum += m[b * codes + k] * v[k];
      u[b] = 1 / (sum * static_cast<long double>(rows));
    }
    for (std::size_t k = 0; k < codes; ++k) {
      long double sum = 0;
      for (std::size_t b = 0; b < rows; ++b) sum += m[b * codes + k] * u[b];
      v[k] = 1 / (sum * static_cast<long double>(codes));
    }
  }
  at::Tensor plan = at::empty_like(d);
  auto* out = plan.data_ptr<double>();
  for (std::size_t b = 0; b < rows; ++b)
    for (std::size_t k = 0; k < codes; ++k)
      out[b * codes + k] =
          static_cast<double>(u[b] * m[b * codes + k] * v[k] * static_cast<long double>(rows));
  return plan;
}

std::vector<std::int64_t> integers(const at::Tensor& codes) {
  return {codes.const_data_ptr<std::int64_t>(), codes.const_data_ptr<std::int64_t>() + codes.numel()};
}

TEST(Sinkhorn, EqualsScalingVectorsInLongDouble) {
  const at::Tensor distances = test::normal({37, 12}, 1).square();
  for (const double epsilon : {0.003, 0.05, 1.0}) {
    const at::Tensor plan = sinkhorn_plan(distances, {.epsilon = epsilon});
    ASSERT_EQ(plan.scalar_type(), at::kDouble);
    EXPECT_LT(test::difference(plan, plan_by_scaling(distances, epsilon, 50)), 1e-9) << epsilon;
  }
  // More rows than are swept at once, and columns that fill no vector.
  const at::Tensor many = test::normal({150, 21}, 5).square();
  EXPECT_LT(test::difference(sinkhorn_plan(many), plan_by_scaling(many, 0.003, 50)), 1e-9);
  // The number of iterations counts.
  const at::Tensor few = sinkhorn_plan(distances, {.epsilon = 0.05, .iterations = 2});
  EXPECT_LT(test::difference(few, plan_by_scaling(distances, 0.05, 2)), 1e-9);
  EXPECT_GT(test::difference(few, plan_by_scaling(distances, 0.05, 50)), 1e-6);
}

TEST(AcceptanceCheck3, EveryCodeGetsTheSameShare) {
  const at::Tensor distances = test::normal({48, 16}, 2).square();
  for (const double epsilon : {0.003, 1.0}) {
    const at::Tensor plan = sinkhorn_plan(distances, {.epsilon = epsilon});
    EXPECT_LT(test::difference(plan.sum(0), at::full({16}, 3.0)), 1e-12);
    EXPECT_GE(plan.min().item<double>(), 0);
    // A soft plan has converged by then.
    if (epsilon == 1.0) {
      EXPECT_LT(test::difference(plan.sum(1), at::ones({48})), 1e-9);
    }
  }
}

TEST(Sinkhorn, TheRowThatLosesLeastGivesWay) {
  // Both rows are nearest to code 0. Row 1 loses 0.1 by taking code 1, row 0 would lose 1.
  const at::Tensor distances = at::tensor(std::vector<float>{0, 1, 0.2F, 0.3F}).view({2, 2});
  EXPECT_EQ(integers(distances.argmin(1)), (std::vector<std::int64_t>{0, 0}));
  EXPECT_EQ(integers(sinkhorn_codes(distances)), (std::vector<std::int64_t>{0, 1}));
  // A constant for all distances, and the unit, change nothing (but for the 1e-5 of the scale).
  EXPECT_EQ(integers(sinkhorn_codes(distances * 1000 + 70)), (std::vector<std::int64_t>{0, 1}));
}

TEST(Sinkhorn, UncontestedRowsKeepTheirNearestCode) {
  at::Tensor distances = at::ones({6, 6});
  for (std::int64_t b = 0; b < 6; ++b) distances[b][(b * 5 + 2) % 6].fill_(0.1);
  EXPECT_EQ(integers(sinkhorn_codes(distances)), integers(distances.argmin(1)));
}

TEST(AcceptanceCheck3, ASingleRowAndEqualRowsGetCodeZero) {
  for (const std::int64_t codes : {10, 256}) {
    for (const std::int64_t rows : {1, 2, 3, 5, 7, 65}) {
      at::Tensor row = test::normal({1, codes}, static_cast<std::uint64_t>(rows + codes)).square();
      row[0][0].fill_(5);  // not the nearest
      const at::Tensor assigned = sinkhorn_codes(row.expand({rows, codes}));
      ASSERT_EQ(assigned.sizes(), at::IntArrayRef({rows}));
      EXPECT_EQ(assigned.max().item<std::int64_t>(), 0) << rows << " rows, " << codes << " codes";
    }
  }
}

TEST(Sinkhorn, NoRowsNoCodes) {
  EXPECT_EQ(sinkhorn_codes(at::empty({0, 5})).numel(), 0);
}

TEST(Sinkhorn, KernelsAndOperationsAgree) {
  const at::Tensor distances = test::normal({70, 18}, 3).square();
  const at::Tensor plan = sinkhorn_plan(distances), codes = sinkhorn_codes(distances);
  const ForceComposite composite;
  EXPECT_LT(test::difference(sinkhorn_plan(distances), plan), 1e-12);
  EXPECT_TRUE(at::equal(sinkhorn_codes(distances), codes));
}

TEST(Sinkhorn, ThreadsDoNotChangeThePlan) {
  const at::Tensor distances = test::normal({900, 256}, 3).square();
  const int threads = at::get_num_threads();
  at::set_num_threads(1);
  const at::Tensor alone = sinkhorn_plan(distances);
  at::set_num_threads(3);
  EXPECT_TRUE(at::equal(sinkhorn_plan(distances), alone));
  at::set_num_threads(threads);
}

TEST(Sinkhorn, DistancesThatAreNoNumbersGetCodeZero) {
  at::Tensor distances = test::normal({4, 5}, 3).square();
  distances[2].fill_(std::nan(""));
  EXPECT_EQ(sinkhorn_codes(distances)[2].item<std::int64_t>(), 0);  // what is wrong shows in the loss
}

TEST(Sinkhorn, AnEpsilonOutsideOfFloat64IsRefused) {
  EXPECT_THROW((void)sinkhorn_plan(at::ones({2, 2}), {.epsilon = 0.001}), UsageError);
  EXPECT_THROW((void)sinkhorn_plan(at::ones({2, 2}), {.epsilon = 0}), UsageError);
  // The least one that is taken, with a row and a code as far away from all others as can be.
  at::Tensor distances = at::zeros({100, 50});
  distances[3].fill_(1);
  distances.select(1, 7).fill_(1);
  EXPECT_TRUE(at::isfinite(sinkhorn_plan(distances, {.epsilon = 0.0029})).all().item<bool>());
}

/// All-reduce between threads that play ranks.
class Ranks {
 public:
  explicit Ranks(std::ptrdiff_t count) : barrier_(count) {}
  void reduce(at::Tensor& values, bool is_sum) {
    {
      const std::lock_guard lock(mutex_);
      if (!total_.defined()) {
        total_ = values.clone();
      } else {
        total_ = is_sum ? total_ + values : at::maximum(total_, values);
      }
    }
    barrier_.arrive_and_wait();
    values.copy_(total_);
    barrier_.arrive_and_wait();
    {
      const std::lock_guard lock(mutex_);
      total_ = at::Tensor();
    }
    barrier_.arrive_and_wait();
  }

 private:
  std::barrier<> barrier_;
  std::mutex mutex_;
  at::Tensor total_;
};

TEST(Sinkhorn, ABatchSpreadOverRanksHasTheSamePlan) {
  const at::Tensor distances = test::normal({23, 9}, 4).square();
  const std::vector<std::int64_t> rows{14, 0, 9};
  Ranks ranks(3);
  std::vector<at::Tensor> plans(3), codes(3);
  std::vector<std::thread> threads;
  std::int64_t begin = 0;
  for (std::size_t r = 0; r < rows.size(); ++r) {
    const at::Tensor mine = distances.narrow(0, begin, rows[r]);
    begin += rows[r];
    threads.emplace_back([&ranks, &plans, &codes, mine, r] {
      const SinkhornRanks callables{
          .sum_over_ranks = [&ranks](at::Tensor& values) { ranks.reduce(values, true); },
          .max_over_ranks = [&ranks](at::Tensor& values) { ranks.reduce(values, false); }};
      plans[r] = sinkhorn_plan(mine, {}, callables);
      codes[r] = sinkhorn_codes(mine, {}, callables);
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_LT(test::difference(at::cat(plans), sinkhorn_plan(distances)), 1e-9);
  EXPECT_TRUE(at::equal(at::cat(codes), sinkhorn_codes(distances)));
  // Ranks that know nothing of each other plan otherwise.
  EXPECT_GT(test::difference(plans[0], sinkhorn_plan(distances.narrow(0, 0, 14))), 1e-3);
}

}  // namespace
}  // namespace genrec
