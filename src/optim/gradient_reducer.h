#pragma once
#include <ATen/ATen.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "base/shards.h"
#include "comm/communicator.h"
#include "comm/device_reducer.h"
#include "nn/parameter_store.h"

namespace genrec {

/// Sums the flat gradient buffer over ranks, bucket by bucket, while the backward pass still runs. Buckets
/// are cut from the end of the buffer to its begin, the order in which gradients become complete, and are
/// started in this order on every rank.
class GradientReducer {
 public:
  static constexpr std::int64_t kBucketBytes = std::int64_t{4} << 20;

  /// `device_sums`: for buffers in device memory, even of one rank; without it they travel through host
  /// memory and `world`.
  GradientReducer(ParameterStore& store, Communicator& world, DeviceReducer* device_sums = nullptr,
                  std::int64_t bucket_bytes = kBucketBytes);
  /// Sums that a failure has left under way go on writing: their buffers then stay allocated for good.
  ~GradientReducer();
  GradientReducer(const GradientReducer&) = delete;
  GradientReducer& operator=(const GradientReducer&) = delete;
  /// Before the backward pass whose gradients are to be summed.
  void begin();
  /// Parameter `i` is complete: its bucket may start.
  void ready(std::size_t i);
  /// Starts what has not started and waits for all; the sums are then in the gradient buffer.
  void finish();

  [[nodiscard]] std::size_t buckets() const { return buckets_.size(); }
  /// Buckets under way or done since begin().
  [[nodiscard]] std::size_t started() const { return started_; }

 private:
  struct Bucket {
    Range elements;
    std::size_t parameters = 0;  ///< that lie in it
    std::size_t missing = 0;     ///< of them, not yet complete
    std::unique_ptr<PendingOperation> sum;
  };
  [[nodiscard]] bool nothing_to_sum() const { return world_.size() == 1 && device_sums_ == nullptr; }
  void start_complete_ones();
  void start(Bucket& bucket);

  ParameterStore& store_;
  Communicator& world_;
  DeviceReducer* device_sums_;
  std::vector<Bucket> buckets_;
  std::vector<std::size_t> bucket_of_;  ///< by parameter
  std::size_t started_ = 0;
  bool pending_ = false;  ///< from the first start() to the end of finish()
  at::Tensor host_;       ///< host copy of gradients in device memory
};

}  // namespace genrec
