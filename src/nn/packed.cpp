#include "nn/packed.h"

#include <algorithm>
#include <atomic>
#include <bit>
#include <cmath>

#include "base/random.h"
#include "nn/indices.h"

namespace genrec {
namespace {

std::atomic<int> composite_forced = 0;

constexpr std::uint64_t kHeadStep = 0x9e3779b97f4a7c15UL;

std::uint64_t site_of_head(std::uint64_t site, std::int64_t head) {
  return site + kHeadStep * static_cast<std::uint64_t>(head);
}

/// x ^= x >> bits without sign, for elements of `width` bits.
void xor_shifted(const at::Tensor& x, int bits, int width) {
  x.bitwise_xor_(x.bitwise_right_shift(bits).bitwise_and_((std::int64_t{1} << (width - bits)) - 1));
}

/// x ^= x >> 16 without sign, for int32: the upper halves onto the lower ones.
void xor_halves(const at::Tensor& x) {
  static_assert(std::endian::native == std::endian::little);
  const at::Tensor halves = x.unsqueeze(-1).view(at::kShort);
  halves.select(-1, 0).bitwise_xor_(halves.select(-1, 1));
}

std::int64_t as_signed(std::uint64_t bits) {
  return static_cast<std::int64_t>(bits);
}
std::int32_t as_signed(std::uint32_t bits) {
  return static_cast<std::int32_t>(bits);
}

/// 0 or `scale` [..., columns] float32 by the kernels' hash of (key, column); keys [...] int64 are written
/// over. In place and in int32 as the kernels, since on a GPU each operation is a pass over memory; products
/// wrap.
at::Tensor draw_factors(const at::Tensor& keys, std::int64_t columns, std::uint32_t threshold, float scale) {
  xor_shifted(keys, 30, 64);
  keys.mul_(as_signed(0xbf58476d1ce4e5b9UL));
  xor_shifted(keys, 27, 64);
  keys.mul_(as_signed(0x94d049bb133111ebUL));
  xor_shifted(keys, 31, 64);
  const at::Tensor parts = keys.unsqueeze(-1).view(at::kInt);  // lower 32 bits, upper ones
  const at::Tensor first = parts.narrow(-1, 0, 1), second = parts.narrow(-1, 1, 1);
  const at::Tensor h = at::arange(columns, parts.options()).mul_(as_signed(0x9e3779b1U)) + first;
  xor_halves(h);
  h.mul_(as_signed(0x7feb352dU));
  h.bitwise_xor_(second);
  xor_shifted(h, 15, 32);
  h.mul_(as_signed(0x846ca68bU));
  xor_halves(h);
  // Kept where h / 2 >= threshold without sign; with this bit turned, int32 has the order of uint32.
  constexpr std::uint32_t kSign = 0x80000000U;
  h.bitwise_xor_(as_signed(kSign));
  return at::where(h.ge(as_signed((threshold << 1) ^ kSign)), scale, 0.0);
}

}  // namespace

PackedLayout::PackedLayout(std::vector<std::int64_t> begins, at::Device on)
    : offsets(std::move(begins)), device(on) {
  for (std::int64_t s = 0; s < sequences(); ++s) longest = std::max(longest, length(s));
}

void PackedLayout::draw_keys(std::uint64_t step_key, std::span<const std::uint64_t> sequence_keys) {
  const bool gpu = device.is_cuda();
  at::Tensor keys = at::empty({tokens()}, at::TensorOptions().dtype(at::kLong).pinned_memory(gpu));
  auto* out = keys.data_ptr<std::int64_t>();
  for (std::int64_t s = 0; s < sequences(); ++s) {
    const std::uint64_t key = mix64(step_key ^ mix64(sequence_keys[static_cast<std::size_t>(s)]));
    for (std::int64_t position = 0; position < length(s); ++position) {
      *out++ = static_cast<std::int64_t>(mix64(key + static_cast<std::uint64_t>(position)));
    }
  }
  token_keys = keys.to(device, /*non_blocking=*/gpu);
}

const PaddedIndex& PackedLayout::padded_index() const {
  if (padded_index_) return *padded_index_;
  const std::int64_t places = sequences() * longest;
  std::vector<std::int64_t> both(static_cast<std::size_t>(places + tokens()), -1);
  for (std::int64_t s = 0; s < sequences(); ++s) {
    for (std::int64_t i = 0; i < length(s); ++i) {
      const std::int64_t row = offsets[static_cast<std::size_t>(s)] + i, place = s * longest + i;
      both[static_cast<std::size_t>(place)] = row;
      both[static_cast<std::size_t>(places + row)] = place;
    }
  }
  const at::Tensor index = index_on(both, device), rows = index.narrow(0, 0, places);
  return padded_index_.emplace(PaddedIndex{rows.clamp_min(0), index.narrow(0, places, tokens()),
                                           rows.ge(0).to(at::kFloat).view({sequences(), longest})});
}

Dropout::Dropout(const PackedLayout& layout, double probability, DropoutSite site, std::int64_t layer) {
  threshold_ = static_cast<std::uint32_t>(std::lround(probability * 0x1.0p31));
  if (threshold_ == 0) return;
  keys_ = layout.token_keys;
  site_ = mix64(static_cast<std::uint64_t>(site) * 1000003 + static_cast<std::uint64_t>(layer));
  scale_ = static_cast<float>(1.0 / (1.0 - probability));
}

DropoutMask Dropout::mask(std::int64_t first, std::int64_t head) const {
  DropoutMask mask;
  if (threshold_ == 0) return mask;
  mask.keys = keys_.const_data_ptr<std::int64_t>() + first;
  mask.site = site_of_head(site_, head);
  mask.threshold = threshold_;
  mask.scale = scale_;
  return mask;
}

at::Tensor Dropout::factors(std::int64_t columns) const {
  return draw_factors(keys_.bitwise_xor(as_signed(site_)), columns, threshold_, scale_);
}

at::Tensor Dropout::head_factors(const PackedLayout& layout, std::int64_t heads, std::int64_t columns) const {
  const at::Tensor sites =
      at::arange(heads, keys_.options()).mul_(as_signed(kHeadStep)).add_(as_signed(site_));
  const at::Tensor keys = keys_.index_select(0, layout.padded_index().to_padded);
  return draw_factors(
      keys.view({layout.sequences(), 1, layout.longest}).bitwise_xor(sites.view({heads, 1})).contiguous(),
      columns, threshold_, scale_);
}

bool uses_kernels(const at::Tensor& tensor) {
  return tensor.is_cpu() && composite_forced.load() == 0;
}

ForceComposite::ForceComposite() {
  ++composite_forced;
}
ForceComposite::~ForceComposite() {
  --composite_forced;
}

}  // namespace genrec
