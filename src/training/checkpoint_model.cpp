#include "training/checkpoint_model.h"

#include "model/huggingface.h"

namespace genrec {

std::unique_ptr<T5Model> model_from_checkpoint(const CheckpointState& state, at::Device device,
                                               Precision precision) {
  auto model =
      std::make_unique<T5Model>(T5Config::from_json(state.model_config, "checkpoint"), device, precision);
  load_weights(*model, state.model, "checkpoint", state.seed);
  return model;
}

}  // namespace genrec
