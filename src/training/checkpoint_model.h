#pragma once
#include <memory>

#include "model/t5_model.h"
#include "training/checkpoint.h"

namespace genrec {

/// The recommender of a checkpoint. Throws DataError when its tensors do not fit its configuration.
[[nodiscard]] std::unique_ptr<T5Model> model_from_checkpoint(const CheckpointState& state, at::Device device,
                                                             Precision precision);

}  // namespace genrec
