#pragma once
#include <ATen/ATen.h>

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "nn/kernels/kernels.h"

namespace genrec {

/// The way between packed rows and places of [sequences, longest], as tensors on the device.
struct PaddedIndex {
  at::Tensor to_padded;  ///< [sequences * longest] int64: the packed row of every place, 0 for padding
  at::Tensor to_packed;  ///< [tokens] int64: the place of every packed row
  at::Tensor used;       ///< [sequences, longest] float32: 1, or 0 for padding
};

/// Where the sequences of a packed tensor [tokens, ...] begin, and the dropout keys of its tokens.
struct PackedLayout {
  std::vector<std::int64_t> offsets;  ///< sequences + 1
  std::int64_t longest = 0;
  at::Tensor token_keys;  ///< [tokens] int64 on the device; undefined when dropout is off
  at::Device device{at::kCPU};

  PackedLayout(std::vector<std::int64_t> offsets, at::Device device);
  [[nodiscard]] std::int64_t sequences() const { return static_cast<std::int64_t>(offsets.size()) - 1; }
  [[nodiscard]] std::int64_t tokens() const { return offsets.back(); }
  [[nodiscard]] std::int64_t length(std::int64_t sequence) const {
    const auto s = static_cast<std::size_t>(sequence);
    return offsets[s + 1] - offsets[s];
  }
  /// Draws token_keys from the step's key, each sequence's own key and the position in the sequence.
  void draw_keys(std::uint64_t step_key, std::span<const std::uint64_t> sequence_keys);
  /// Made at the first call, in one copy to the device. Not for two threads at once.
  [[nodiscard]] const PaddedIndex& padded_index() const;

 private:
  mutable std::optional<PaddedIndex> padded_index_;
};

/// Places where activations are dropped; each (site, layer) has masks of its own.
enum class DropoutSite : std::uint64_t {
  kEncoderEmbedding = 1,
  kDecoderEmbedding,
  kEncoderFinal,
  kDecoderFinal,
  kEncoderSelf,
  kEncoderSelfOutput,
  kEncoderHidden,
  kEncoderFeedForward,
  kDecoderSelf,
  kDecoderSelfOutput,
  kDecoderCross,
  kDecoderCrossOutput,
  kDecoderHidden,
  kDecoderFeedForward,
};

/// Dropout of one site in one layer over the tokens of a layout.
class Dropout {
 public:
  Dropout() = default;  ///< off
  /// `probability` in [0, 1); the layout must have token_keys unless it is 0. They are kept, the layout is
  /// not.
  Dropout(const PackedLayout& layout, double probability, DropoutSite site, std::int64_t layer);
  [[nodiscard]] bool active() const { return threshold_ != 0; }
  [[nodiscard]] float scale() const { return scale_; }
  /// For the kernels, beginning at row `first`; attention heads have masks of their own.
  [[nodiscard]] DropoutMask mask(std::int64_t first = 0, std::int64_t head = 0) const;
  /// 0 or scale(), [tokens, columns] float32, by ATen operations on the layout's device: the same masks.
  [[nodiscard]] at::Tensor factors(std::int64_t columns) const;
  /// The same for attention, over the padded places of the layout that this was made with: [sequences,
  /// heads, longest, columns].
  [[nodiscard]] at::Tensor head_factors(const PackedLayout& layout, std::int64_t heads,
                                        std::int64_t columns) const;

 private:
  at::Tensor keys_;
  std::uint64_t site_ = 0;
  std::uint32_t threshold_ = 0;
  float scale_ = 1;
};

/// True where the CPU kernels do the work; elsewhere (CUDA) ATen operations do.
[[nodiscard]] bool uses_kernels(const at::Tensor& tensor);
/// For tests: ATen operations on the CPU too, on every thread, while such an object lives; products in bf16
/// are as ever.
class ForceComposite {
 public:
  ForceComposite();
  ~ForceComposite();
  ForceComposite(const ForceComposite&) = delete;
  ForceComposite& operator=(const ForceComposite&) = delete;
};

}  // namespace genrec
