#pragma once
#include "model/t5_model.h"
#include "model/t5_stack.h"

namespace genrec {

/// What T5Model is made of; shared by the files that implement its members.
struct T5Model::Impl {
  Impl(const T5Config& config, at::Device device, Precision precision);

  T5Config config;
  ParameterStore store;
  at::ScalarType precision;
  std::size_t shared;
  T5Stack encoder, decoder;
  std::size_t head;  ///< lm_head.weight, or `shared` when tied

  /// What the decoder's output is multiplied with before the head.
  [[nodiscard]] double output_scale() const;
  [[nodiscard]] StackPass pass(const PackedLayout& layout, const PackedLayout* source, double dropout) const;
  /// Encoder output in the products' precision, no dropout.
  [[nodiscard]] at::Tensor memory(const PackedLayout& layout, std::span<const TokenId> tokens,
                                  at::ScalarType type) const;
  /// Decoder output ready for the head, teacher forcing, no dropout.
  [[nodiscard]] at::Tensor hidden(const Seq2SeqBatch& batch) const;
};

/// Target tokens shifted right behind the start token, sequence by sequence.
[[nodiscard]] std::vector<TokenId> decoder_input(const PackedSequences& target);

/// Throws DataError unless every token lies in [0, vocabulary) and no sequence is empty.
void check_tokens(const PackedSequences& sequences, std::int64_t vocabulary, const char* what);

}  // namespace genrec
