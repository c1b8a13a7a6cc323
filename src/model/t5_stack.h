#pragma once
#include <ATen/ATen.h>

#include <optional>
#include <span>
#include <vector>

#include "base/types.h"
#include "model/cross_attention.h"
#include "model/feed_forward.h"
#include "model/self_attention.h"
#include "nn/relative_bias.h"

namespace genrec {

/// The encoder or the decoder: embedding, blocks, final norm.
class T5Stack {
 public:
  struct BlockTape {
    SelfAttention::Tape self;
    CrossAttention::Tape cross;
    FeedForward::Tape feed_forward;
  };
  struct Tape {
    std::vector<BlockTape> blocks;
    at::Tensor x, rstd;
  };
  struct Block {
    SelfAttention self;
    std::optional<CrossAttention> cross;
    FeedForward feed_forward;
  };

  /// `embedding`: the shared table's parameter.
  T5Stack(ParameterStore& store, const T5Config& config, bool decoder, std::size_t embedding);

  /// Adds the position bias to the pass; call before forward().
  void prepare(const ParameterStore& store, StackPass& pass) const;
  /// tokens of pass.layout -> dropout(norm(x)) * factor [tokens, d_model] in `precision`. `memory`: the
  /// encoder's output in the products' precision (decoder only).
  [[nodiscard]] at::Tensor forward(const ParameterStore& store, std::span<const TokenId> tokens,
                                   const at::Tensor& memory, double factor, at::ScalarType precision,
                                   const StackPass& pass, Tape* tape) const;
  /// `dout`: gradient of the result, float32. Adds to the parameters' gradients, the embedding's included,
  /// and to dmemory [source tokens, d_model] float32 (decoder only).
  void backward(ParameterStore& store, std::span<const TokenId> tokens, const at::Tensor& dout, double factor,
                const at::Tensor& dmemory, StackPass& pass, Tape& tape) const;

  [[nodiscard]] const std::vector<Block>& blocks() const { return blocks_; }
  [[nodiscard]] at::Tensor final_norm(const ParameterStore& store, const at::Tensor& x,
                                      at::Tensor* rstd) const;
  /// Position bias [heads, 2 * longest - 1] of this stack's self-attention.
  [[nodiscard]] at::Tensor bias(const ParameterStore& store, std::int64_t longest) const;

 private:
  bool decoder_;
  double epsilon_;
  DistanceIndex distances_;
  std::size_t embedding_, final_norm_ = 0;
  std::vector<Block> blocks_;
};

}  // namespace genrec
