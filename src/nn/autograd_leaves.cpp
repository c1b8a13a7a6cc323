#include "nn/autograd_leaves.h"

#include <string>

#include "base/error.h"

namespace genrec {

AutogradLeaves::AutogradLeaves(ParameterStore& store) {
  for (std::size_t i = 0; i < store.entries().size(); ++i) {
    // A detached tensor is no view in autograd's eyes: it may become a leaf.
    at::Tensor leaf = store.value(i).detach();
    leaf.set_requires_grad(true);
    // Autograd adds in place to a gradient that is there already.
    leaf.mutable_grad() = store.gradient(i);
    leaves_.push_back(leaf);
    gradients_.push_back(store.gradient(i));
  }
}

void AutogradLeaves::check() const {
  for (std::size_t i = 0; i < leaves_.size(); ++i) {
    const at::Tensor& gradient = leaves_[i].grad();
    if (gradient.defined() && gradient.data_ptr() == gradients_[i].data_ptr()) continue;
    std::string message("autograd: the gradient of parameter ");
    message += std::to_string(i);
    throw Error(ExitCode::kInternal, message + " has left the parameter store");
  }
}

}  // namespace genrec
