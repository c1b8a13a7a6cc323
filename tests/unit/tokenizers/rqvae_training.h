#pragma once
#include <memory>

#include "comm/communicator.h"
#include "tokenizers/rqvae/rqvae_trainer.h"

namespace genrec::test {

/// A trainer with its model, in a world of one.
struct RqvaeTraining {
  std::unique_ptr<Communicator> world = make_single_communicator();
  RqvaeModel model;
  RqvaeTrainer trainer;

  RqvaeTraining(const Embeddings& embeddings, const Embeddings* cf, const RqvaeOptions& options)
      : model(embeddings.width, options, at::kCPU, Precision::kFloat32),
        trainer(model, embeddings, cf, options, *world) {}
};

}  // namespace genrec::test
