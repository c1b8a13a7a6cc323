#pragma once
// What the benchmarks share: options, repeated measurements, one JSON object on standard output.
#include <algorithm>
#include <cstdio>
#include <ctime>
#include <exception>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/stopwatch.h"
#include "io/json_file.h"

namespace genrec::bench {

/// Values by name ("--threads"); a flag is "0" or "1".
using Options = std::map<std::string, std::string>;

/// Pairs "--name value" over the defaults; names in `flags` stand alone. Throws UsageError for an unknown
/// one.
inline Options arguments(int argc, char** argv, Options values, const std::vector<std::string>& flags = {}) {
  for (const std::string& flag : flags) values[flag].assign(1, '0');
  for (int i = 1; i < argc; ++i) {
    const std::string name = argv[i];
    if (std::ranges::find(flags, name) != flags.end()) {
      values[name].assign(1, '1');
    } else if (values.contains(name) && i + 1 < argc) {
      values[name] = argv[++i];
    } else {
      std::string known;
      for (const auto& [each, value] : values) known.append(" ").append(each);
      throw UsageError(
          std::string("unknown or without a value: ").append(name).append("; there are").append(known));
    }
  }
  return values;
}

inline int number(const Options& options, const std::string& name) {
  return std::stoi(options.at(name));
}

/// Throws an internal Error: a benchmark of wrong results is none.
inline void require(bool holds, const std::string& otherwise) {
  if (!holds) throw Error(ExitCode::kInternal, otherwise);
}

/// Units a second of repeated runs.
struct Rates {
  std::vector<double> values;  ///< ascending
  double cpu_ms_per_unit = 0;  ///< of all threads: tells how much another load disturbed

  [[nodiscard]] double median() const { return values[values.size() / 2]; }
  [[nodiscard]] Json json() const {
    return {{"median", median()}, {"min", values.front()}, {"max", values.back()}, {"n", values.size()}};
  }
};

/// Runs `work`, which does `units` of something, `repeat` times.
inline Rates measure(int repeat, double units, const std::function<void()>& work) {
  if (repeat < 1) throw UsageError("--repeat must be at least 1");
  Rates rates;
  const std::clock_t cpu_start = std::clock();
  for (int i = 0; i < repeat; ++i) {
    const Stopwatch watch;
    work();
    rates.values.push_back(units / watch.seconds());
  }
  rates.cpu_ms_per_unit =
      1000 * static_cast<double>(std::clock() - cpu_start) / CLOCKS_PER_SEC / (units * repeat);
  std::ranges::sort(rates.values);
  return rates;
}

/// Prints what `work` returns, or its error.
inline int run(const std::string& name, const std::function<Json()>& work) {
  try {
    Json result = {{"bench", name}};
    result.update(work());
    std::printf("%s\n", result.dump().c_str());
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "bench_%s: %s\n", name.c_str(), error.what());
    return 1;
  }
}

}  // namespace genrec::bench
