#include "nn/parameter_store.h"

#include <numeric>

#include "base/error.h"

namespace genrec {
namespace {

constexpr std::int64_t kAlignment = 16;  // elements: 64 bytes of float32

std::int64_t aligned(std::int64_t n) {
  return (n + kAlignment - 1) / kAlignment * kAlignment;
}

at::Tensor view_of(const at::Tensor& flat, const ParameterStore::Entry& entry) {
  return flat.narrow(0, entry.offset, entry.count).view(entry.shape);
}

}  // namespace

std::size_t ParameterStore::append(std::string name, std::vector<std::int64_t> shape, bool decays) {
  Entry entry{.name = std::move(name), .shape = std::move(shape), .offset = total_, .decays = decays};
  entry.count = std::accumulate(entry.shape.begin(), entry.shape.end(), std::int64_t{1}, std::multiplies<>());
  total_ += entry.count;
  entries_.push_back(std::move(entry));
  return entries_.size() - 1;
}

std::size_t ParameterStore::add(std::string name, std::vector<std::int64_t> shape, bool decays) {
  total_ = aligned(total_);
  return append(std::move(name), std::move(shape), decays);
}

std::size_t ParameterStore::add_stacked(const std::vector<std::string>& names,
                                        std::vector<std::int64_t> shape) {
  total_ = aligned(total_);
  const std::size_t first = entries_.size();
  for (const std::string& name : names) append(name, shape, true);
  stacks_[{first, names.size()}] = Weight();
  return first;
}

void ParameterStore::allocate() {
  total_ = aligned(total_);
  const auto options = at::TensorOptions().device(device_).dtype(at::kFloat);
  flat_values_ = at::zeros({total_}, options);
  if (precision_ == Precision::kBFloat16) flat_computes_ = at::zeros({total_}, options.dtype(at::kBFloat16));
  for (const Entry& entry : entries_) {
    values_.push_back(view_of(flat_values_, entry));
    computes_.emplace_back(flat_computes_.defined() ? view_of(flat_computes_, entry) : values_.back());
  }
  for (auto& [key, weight] : stacks_) {
    weight = stack(flat_computes_.defined() ? flat_computes_ : flat_values_, key.first, key.second);
  }
}

std::size_t ParameterStore::index(const std::string& name) const {
  for (std::size_t i = 0; i < entries_.size(); ++i) {
    if (entries_[i].name == name) return i;
  }
  throw Error(ExitCode::kInternal, "the model has no parameter \"" + name + "\"");
}

void ParameterStore::make_gradients() {
  if (flat_gradients_.defined()) return;
  flat_gradients_ = at::zeros_like(flat_values_);
  for (const Entry& entry : entries_) gradients_.push_back(view_of(flat_gradients_, entry));
}

at::Tensor ParameterStore::flat_gradients() {
  make_gradients();
  return flat_gradients_;
}

const at::Tensor& ParameterStore::gradient(std::size_t i) {
  make_gradients();
  return gradients_[i];
}

at::Tensor ParameterStore::stack(const at::Tensor& flat, std::size_t first, std::size_t n) const {
  const Entry& top = entries_[first];
  return flat.narrow(0, top.offset, top.count * static_cast<std::int64_t>(n)).view({-1, top.shape[1]});
}

const Weight& ParameterStore::stacked_compute(std::size_t first, std::size_t n) const {
  return n == 1 ? computes_[first] : stacks_.at({first, n});
}

at::Tensor ParameterStore::stacked_gradient(std::size_t first, std::size_t n) {
  return stack(flat_gradients(), first, n);
}

at::Tensor ParameterStore::flat_computes() {
  forget_panels();
  return flat_computes_;
}

void ParameterStore::refresh_compute() {
  if (flat_computes_.defined()) flat_computes().copy_(flat_values_);
}

void ParameterStore::forget_panels() {
  for (Weight& weight : computes_) weight.forget();
  for (auto& [key, weight] : stacks_) weight.forget();
}

std::int64_t ParameterStore::parameter_count() const {
  std::int64_t count = 0;
  for (const Entry& entry : entries_) count += entry.count;
  return count;
}

}  // namespace genrec
