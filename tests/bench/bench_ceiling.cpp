// What the machine can do at most: rates of matrix products, the better of LibTorch's and ours, in f32 and
// bf16, at sizes of T5's layers and at a large one, and the bandwidth of adding two long vectors. Products
// are checked against float64 before the clock starts. null: the processor has no bf16 products.
//
//   bench_ceiling [--threads 2] [--repeat 7]
#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <functional>
#include <string>
#include <utility>

#include "bench/bench.h"
#include "nn/memory.h"
#include "nn/products.h"

namespace {

using namespace genrec;

/// The shortest of some runs, seconds a call: a ceiling is what is reached undisturbed.
double best_seconds(int repeat, const std::function<void()>& work) {
  work();
  double best = 1e300;
  for (int r = 0; r < repeat; ++r) {
    std::int64_t calls = 0;
    const Stopwatch watch;
    double passed = 0;
    do {
      work();
      ++calls;
      passed = watch.seconds();
    } while (passed < 0.1);
    best = std::min(best, passed / static_cast<double>(calls));
  }
  return best;
}

/// GFLOP/s of [m, k] x [k, n].
double product_rate(std::int64_t m, std::int64_t n, std::int64_t k, at::ScalarType type, int repeat) {
  const at::Tensor a = at::randn({m, k}), b = at::randn({k, n});
  const at::Tensor x = a.to(type), y = b.to(type);
  const at::Tensor exact = at::mm(x.to(at::kDouble), y.to(at::kDouble));
  const double error =
      (at::mm(x, y).to(at::kDouble) - exact).norm().item<double>() / exact.norm().item<double>();
  bench::require(error < (type == at::kFloat ? 1e-5 : 1e-2),
                 "a product is wrong by " + std::to_string(error));
  at::Tensor out = at::empty({m, n}, x.options());
  const double flop = 2.0 * static_cast<double>(m) * static_cast<double>(n) * static_cast<double>(k);
  const Weight weight(y.t().contiguous());
  const double library = best_seconds(repeat, [&] { at::mm_out(out, x, y); });
  return flop / std::min(library, best_seconds(repeat, [&] { linear_layer_into(out, x, weight); })) / 1e9;
}

/// GB/s of c = a + b, 3 x 256 MiB.
double bandwidth(int repeat) {
  constexpr std::int64_t kLength = std::int64_t{1} << 26;
  const at::Tensor a = at::ones({kLength}), b = at::ones({kLength});
  at::Tensor c = at::empty({kLength});
  return 3.0 * 4.0 * static_cast<double>(kLength) / best_seconds(repeat, [&] { at::add_out(c, a, b); }) / 1e9;
}

Json run(const bench::Options& options) {
  const int threads = bench::number(options, "--threads"), repeat = bench::number(options, "--repeat");
  at::set_num_threads(threads);
  Json result = {{"threads", threads}};
  // Without hardware for them, bf16 products are hundreds of times slower: a large one would take minutes.
  const double small_f32 = product_rate(256, 256, 256, at::kFloat, 1);
  const bool has_bf16 = product_rate(256, 256, 256, at::kBFloat16, 1) > 0.5 * small_f32;
  for (const auto& [type, name] : {std::pair{at::kFloat, "f32"}, std::pair{at::kBFloat16, "bf16"}}) {
    const std::string large = std::string(name) + "_gflop_per_s",
                      layer = std::string(name) + "_layer_gflop_per_s";
    const bool is_measured = type == at::kFloat || has_bf16;
    result[large] = is_measured ? Json(product_rate(2048, 2048, 2048, type, repeat)) : Json();
    result[layer] = is_measured ? Json(product_rate(8192, 1024, 128, type, repeat)) : Json();
  }
  result["gbyte_per_s"] = bandwidth(repeat);
  result["peak_rss_bytes"] = peak_memory_bytes();
  return result;
}

}  // namespace

int main(int argc, char** argv) {
  genrec::keep_freed_memory();
  return genrec::bench::run("ceiling", [&] {
    return run(genrec::bench::arguments(argc, argv, {{"--threads", "2"}, {"--repeat", "7"}}));
  });
}
