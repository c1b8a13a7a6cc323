#pragma once
#include <memory>

#include "small_world.h"
#include "training/batch_source.h"
#include "training/trainer.h"

namespace genrec::test {

/// A very small T5 over SmallWorld's tokens.
inline std::unique_ptr<T5Model> tiny_model(const SmallWorld& world, std::uint64_t seed = 1) {
  T5Config config;
  config.d_model = 16;
  config.d_kv = 8;
  config.d_ff = 32;
  config.num_layers = 1;
  config.num_decoder_layers = 1;
  config.num_heads = 2;
  config.vocab_size = world.vocabulary.size();
  auto model = std::make_unique<T5Model>(config, at::kCPU, Precision::kFloat32);
  model->initialise(seed);
  return model;
}

/// Everything that one rank needs for training on SmallWorld.
struct TinyTraining {
  static constexpr std::uint64_t kSeed = 42;
  const SmallWorld& small;
  std::unique_ptr<Communicator> alone = make_single_communicator();
  Communicator& world;
  VirtualShards shards;
  Interactions mine;
  Prompts prompts;
  RecommendationTask task;
  TrainingOrder order;
  RecommendationSource source;
  std::unique_ptr<T5Model> model;
  Trainer trainer;

  /// `given` null: a world of one.
  TinyTraining(const SmallWorld& s, const TrainOptions& options, std::int64_t epochs,
               Communicator* given = nullptr)
      : small(s),
        world(given != nullptr ? *given : *alone),
        shards(s.lengths, 4, kSeed),
        mine(s.part(shards, world.rank(), world.size())),
        task(mine, s.items, prompts, 10, kSeed),
        order(shards, mine, world.rank(), world.size(), options.batch, kSeed),
        source(order, task),
        model(tiny_model(s)),
        trainer(*model, source, options, TrainStage{"tiny", epochs, kSeed}, world) {}

  [[nodiscard]] std::vector<float> weights() const {
    const at::Tensor flat = model->parameters().flat_values();
    const float* first = flat.const_data_ptr<float>();
    return {first, first + flat.numel()};
  }
};

}  // namespace genrec::test
