#include "optim/gradient_reducer.h"

#include <c10/core/impl/VirtualGuardImpl.h>

#include <span>
#include <vector>

namespace genrec {
namespace {

void* current_stream(at::Device device) {
  if (device.is_cpu()) return nullptr;
  return c10::impl::VirtualGuardImpl(device.type()).getStream(device).native_handle();
}

}  // namespace

GradientReducer::GradientReducer(ParameterStore& store, Communicator& world, DeviceReducer* device_sums,
                                 std::int64_t bucket_bytes)
    : store_(store), world_(world), device_sums_(device_sums), bucket_of_(store.entries().size()) {
  const std::int64_t limit = bucket_bytes / static_cast<std::int64_t>(sizeof(float));
  for (std::size_t i = store.entries().size(); i-- > 0;) {
    const ParameterStore::Entry& entry = store.entries()[i];
    const bool full = buckets_.empty() || buckets_.back().elements.size() + entry.count > limit;
    if (full) {
      // Up to the bucket before: the gaps of alignment between entries go with the entry in front of them.
      const std::int64_t end =
          buckets_.empty() ? store.flat_values().numel() : buckets_.back().elements.begin;
      buckets_.push_back({.elements = {entry.offset, end}, .parameters = 0, .missing = 0, .sum = nullptr});
    }
    buckets_.back().elements.begin = entry.offset;
    ++buckets_.back().parameters;
    bucket_of_[i] = buckets_.size() - 1;
  }
}

GradientReducer::~GradientReducer() {
  if (!pending_) return;
  // MPI cannot call a sum off, and another rank may be waited for in vain: it writes until the process ends.
  // A leak on purpose.
  (void)new std::vector<at::Tensor>{store_.flat_gradients(), host_};
}

void GradientReducer::begin() {
  started_ = 0;
  for (Bucket& bucket : buckets_) bucket.missing = bucket.parameters;
}

void GradientReducer::ready(std::size_t i) {
  if (nothing_to_sum()) return;
  --buckets_[bucket_of_[i]].missing;
  start_complete_ones();
}

void GradientReducer::start_complete_ones() {
  while (started_ < buckets_.size() && buckets_[started_].missing == 0) start(buckets_[started_++]);
  // MPI moves data only while it is called.
  for (std::size_t b = 0; b < started_; ++b) {
    if (buckets_[b].sum) buckets_[b].sum->test();
  }
}

void GradientReducer::start(Bucket& bucket) {
  pending_ = true;
  const auto count = static_cast<std::size_t>(bucket.elements.size());
  const at::Tensor gradients = store_.flat_gradients();
  if (device_sums_ != nullptr) {
    device_sums_->start_sum(gradients.data_ptr<float>() + bucket.elements.begin, count,
                            current_stream(gradients.device()));
    return;
  }
  float* first = nullptr;
  if (gradients.is_cpu()) {
    first = gradients.data_ptr<float>() + bucket.elements.begin;
  } else {
    if (!host_.defined()) host_ = at::empty({gradients.numel()}, at::TensorOptions().pinned_memory(true));
    host_.narrow(0, bucket.elements.begin, bucket.elements.size())
        .copy_(gradients.narrow(0, bucket.elements.begin, bucket.elements.size()));
    first = host_.data_ptr<float>() + bucket.elements.begin;
  }
  bucket.sum = world_.start_all_reduce_sum(std::span<float>(first, count));
}

void GradientReducer::finish() {
  if (nothing_to_sum()) return;
  while (started_ < buckets_.size()) start(buckets_[started_++]);
  const at::Tensor gradients = store_.flat_gradients();
  if (device_sums_ != nullptr) {
    device_sums_->finish(current_stream(gradients.device()));
    pending_ = false;
    return;
  }
  for (Bucket& bucket : buckets_) {
    bucket.sum->wait();
    bucket.sum.reset();
    if (!gradients.is_cpu()) {
      gradients.narrow(0, bucket.elements.begin, bucket.elements.size())
          .copy_(host_.narrow(0, bucket.elements.begin, bucket.elements.size()));
    }
  }
  pending_ = false;
}

}  // namespace genrec
