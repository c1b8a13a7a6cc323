#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "model/batch.h"
#include "model/decoder_state.h"
#include "model/dense_state.h"
#include "model/t5_config.h"
#include "nn/parameter_store.h"

namespace genrec {

/// Sum of token losses and the number of target tokens: ranks add both, then divide once.
struct LossSum {
  double sum = 0;
  std::int64_t tokens = 0;
  LossSum& operator+=(const LossSum& other) {
    sum += other.sum;
    tokens += other.tokens;
    return *this;
  }
};

/// What a training pass needs beside the batch.
struct TrainingPass {
  std::uint64_t dropout_key =
      0;               ///< stream key of the step; mixed with each sample's key, layer and position
  double dropout = 0;  ///< probability; 0 switches it off
  double tau = 1;      ///< logits / tau in the loss (LETTER's ranking-guided loss; 1 is cross entropy)
  /// Called as soon as a parameter's gradient is complete (only in the last microbatch of a step): overlap of
  /// the reduction with the backward pass.
  std::function<void(std::size_t parameter)> on_gradient_ready;
};

/// T5 (v1.0 and v1.1) on packed sequences. Forward and backward are written out by hand: no autograd graph,
/// no padding, no logits tensor of the whole batch.
class T5Model {
 public:
  /// Parameters are allocated, zero; call initialise() or load weights (huggingface.h).
  T5Model(const T5Config& config, at::Device device, Precision precision);
  ~T5Model();
  T5Model(const T5Model&) = delete;
  T5Model& operator=(const T5Model&) = delete;

  [[nodiscard]] const T5Config& config() const;
  [[nodiscard]] ParameterStore& parameters();
  [[nodiscard]] const ParameterStore& parameters() const;
  /// T5's initialisation with config().initializer_factor; a function of the seed alone.
  void initialise(std::uint64_t seed);

  /// Forward and backward; adds the gradient of the *sum* of token losses to parameters().gradient(i).
  LossSum accumulate_gradients(const Seq2SeqBatch& batch, const TrainingPass& pass);
  /// Forward only, dropout off.
  [[nodiscard]] LossSum loss(const Seq2SeqBatch& batch, double tau = 1) const;
  /// [source tokens, d_model] float32, after the final norm; dropout off.
  [[nodiscard]] at::Tensor encode(const PackedSequences& source) const;
  /// [target tokens, vocabulary] float32, teacher forcing, dropout off: for tests and small batches.
  [[nodiscard]] at::Tensor logits(const Seq2SeqBatch& batch) const;

  /// Encodes the sources and computes the cross-attention keys and values, once per sequence.
  [[nodiscard]] std::unique_ptr<DecoderState> start_decoding(const PackedSequences& source) const;
  /// One decoding step. Row r feeds tokens[r] to sequence sequences[r] (non-decreasing), as a continuation of
  /// row parents[r] of the step before (ignored in the first step, where tokens are the start token). The
  /// number of rows may differ from step to step. Returns [rows, d_model], ready for score().
  [[nodiscard]] at::Tensor decode_step(DecoderState& state, std::span<const TokenId> tokens,
                                       std::span<const std::int32_t> parents,
                                       std::span<const std::int32_t> sequences) const;
  /// log p(token | row) for candidates[offsets[r] .. offsets[r+1]) of every row r, normalised over the whole
  /// vocabulary; a row's candidates ascend. `out` has offsets.back() elements.
  void score(const at::Tensor& hidden, std::span<const std::int64_t> offsets,
             std::span<const TokenId> candidates, std::span<float> out) const;

  /// The same on the device, for GPUs: encodes the sources for at most `steps` steps ...
  [[nodiscard]] std::unique_ptr<DenseState> start_dense_decoding(const PackedSequences& source,
                                                                 std::int64_t steps) const;
  /// ... and decodes one token a row, with as many rows for every sequence. tokens [rows] and parents [rows]
  /// (rows of the step before, ignored in the first) are int64 on the device. Returns logits [rows,
  /// vocabulary] float32.
  [[nodiscard]] at::Tensor dense_step(DenseState& state, const at::Tensor& tokens,
                                      const at::Tensor& parents) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// Number of tokens that have embedding rows but did not exist before `first_new` get the mean of the
/// existing rows plus N(0, (0.02 std)^2) per column (method 5.4 #20), input and untied head alike. Returns a
/// model of `new_size` rows with the other weights copied.
std::unique_ptr<T5Model> grow_vocabulary(const T5Model& model, std::int64_t new_size, std::uint64_t seed);

}  // namespace genrec
