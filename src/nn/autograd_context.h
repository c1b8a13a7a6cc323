#pragma once
#include <torch/csrc/autograd/custom_function.h>

#include <utility>

namespace genrec {

/// What an object of ours needs to live in the context of an autograd function until its backward pass.
template <typename T>
struct HeldByAutograd : torch::CustomClassHolder {
  explicit HeldByAutograd(T object) : value(std::move(object)) {}
  T value;
};

template <typename T>
void hold(torch::autograd::AutogradContext* context, T value) {
  context->saved_data["held"] =
      at::IValue::make_capsule(c10::make_intrusive<HeldByAutograd<T>>(std::move(value)));
}

/// The object that the forward pass held.
template <typename T>
T held(torch::autograd::AutogradContext* context) {
  const auto capsule = context->saved_data["held"].toCapsule();
  return static_cast<const HeldByAutograd<T>&>(*capsule).value;
}

}  // namespace genrec
