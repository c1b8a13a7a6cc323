#include "decoding/parallel_generator.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <exception>
#include <map>
#include <mutex>
#include <optional>
#include <system_error>
#include <thread>

#include "base/error.h"
#include "decoding/device_search.h"

namespace genrec {
namespace {

/// Makes LibTorch work in the calling thread alone, and sets back what it had.
class SingleThreaded {
 public:
  SingleThreaded() : before_(at::get_num_threads()) { at::set_num_threads(1); }
  ~SingleThreaded() { at::set_num_threads(before_); }
  SingleThreaded(const SingleThreaded&) = delete;
  SingleThreaded& operator=(const SingleThreaded&) = delete;

 private:
  int before_;
};

/// Deals blocks to workers and hands their results on in order.
class BlockQueue {
 public:
  using Found = std::vector<std::vector<Hypothesis>>;

  BlockQueue(std::int64_t count, std::int64_t block, const BlockSink& sink,
             const std::function<void(std::int64_t)>& progress)
      : count_(count),
        block_(block),
        blocks_((count + block - 1) / block),
        sink_(sink),
        progress_(progress) {}

  [[nodiscard]] std::int64_t blocks() const { return blocks_; }
  [[nodiscard]] Range inputs(std::int64_t block) const {
    return {block * block_, std::min(count_, (block + 1) * block_)};
  }
  /// The next block, or -1 when there is none or a worker has failed.
  [[nodiscard]] std::int64_t take() {
    const std::lock_guard lock(mutex_);
    return failure_ || taken_ == blocks_ ? -1 : taken_++;
  }
  void give(std::int64_t block, Found found) {
    const std::lock_guard lock(mutex_);
    if (failure_) return;
    done_ += inputs(block).size();
    waiting_.emplace(block, std::move(found));
    for (auto first = waiting_.begin(); first != waiting_.end() && first->first == given_;
         first = waiting_.erase(first)) {
      sink_(given_, inputs(given_), std::move(first->second));
      ++given_;
    }
    if (progress_) progress_(done_);
  }
  void fail(std::exception_ptr failure) {
    const std::lock_guard lock(mutex_);
    if (!failure_) failure_ = std::move(failure);
  }
  void rethrow() const {
    if (failure_) std::rethrow_exception(failure_);
  }

 private:
  std::int64_t count_, block_, blocks_;
  const BlockSink& sink_;
  const std::function<void(std::int64_t)>& progress_;
  std::mutex mutex_;
  std::map<std::int64_t, Found> waiting_;  ///< done before an earlier block
  std::int64_t taken_ = 0, given_ = 0, done_ = 0;
  std::exception_ptr failure_;
};

}  // namespace

void generate_in_blocks(const T5Model& model, std::int64_t count, std::int64_t block, int threads,
                        const SourceMaker& make_sources, const TokenAutomaton& automaton,
                        const BeamOptions& options, const BlockSink& sink,
                        const std::function<void(std::int64_t done)>& progress) {
  if (block < 1) throw Error(ExitCode::kInternal, "decoding: a block holds at least one input");
  BlockQueue queue(count, block, sink, progress);
  const at::Device device = model.parameters().device();
  const bool one_stream = device.is_cuda();
  std::optional<DeviceAutomaton> device_automaton;
  if (one_stream && count > 0) device_automaton.emplace(automaton, device);
  const auto work = [&] {
    try {
      at::set_num_threads(1);
      for (std::int64_t b = queue.take(); b >= 0; b = queue.take()) {
        const PackedSequences sources = make_sources(queue.inputs(b));
        queue.give(b, one_stream ? generate_on_device(model, sources, *device_automaton, options)
                                 : generate(model, sources, automaton, options));
      }
    } catch (...) {
      queue.fail(std::current_exception());
    }
  };
  const std::int64_t workers = one_stream ? 1 : std::min<std::int64_t>(threads, queue.blocks());
  const SingleThreaded guard;
  std::vector<std::thread> others;
  try {
    for (std::int64_t w = 1; w < workers; ++w) others.emplace_back(work);
  } catch (const std::system_error&) {  // no more threads are to be had: those that are do it all
  }
  work();
  for (auto& thread : others) thread.join();
  queue.rethrow();
}

}  // namespace genrec
