#include "nn/packed.h"

#include <algorithm>
#include <atomic>
#include <cmath>

#include "base/random.h"

namespace genrec {
namespace {

std::atomic<int> composite_forced = 0;

std::uint64_t site_of_head(std::uint64_t site, std::int64_t head) {
  return site + 0x9e3779b97f4a7c15ULL * static_cast<std::uint64_t>(head);
}

// 64- and 32-bit unsigned arithmetic on int64 tensors: products wrap, shifts need the sign bits masked off.
at::Tensor shift_right_64(const at::Tensor& x, int bits) {
  return x.bitwise_right_shift(bits).bitwise_and((std::int64_t{1} << (64 - bits)) - 1);
}
at::Tensor low_32(const at::Tensor& x) {
  return x.bitwise_and(0xffffffffLL);
}

/// The kernels' hash of (row keys [..., 1], columns), compared with the threshold.
at::Tensor kept(at::Tensor row_keys, std::int64_t columns, std::uint32_t threshold) {
  at::Tensor x = row_keys;
  x = (x.bitwise_xor(shift_right_64(x, 30))) * static_cast<std::int64_t>(0xbf58476d1ce4e5b9ULL);
  x = (x.bitwise_xor(shift_right_64(x, 27))) * static_cast<std::int64_t>(0x94d049bb133111ebULL);
  x = x.bitwise_xor(shift_right_64(x, 31));
  const at::Tensor first = low_32(x), second = shift_right_64(x, 32);
  at::Tensor h = low_32(at::arange(columns, row_keys.options()) * 0x9e3779b1LL + first);
  h = h.bitwise_xor(h.bitwise_right_shift(16));
  h = low_32(h * 0x7feb352dLL);
  h = h.bitwise_xor(second);
  h = h.bitwise_xor(h.bitwise_right_shift(15));
  h = low_32(h * 0x846ca68bLL);
  h = h.bitwise_xor(h.bitwise_right_shift(16));
  return h.bitwise_right_shift(1).ge(static_cast<std::int64_t>(threshold));
}

}  // namespace

PackedLayout::PackedLayout(std::vector<std::int64_t> begins, at::Device on)
    : offsets(std::move(begins)), device(on) {
  for (std::int64_t s = 0; s < sequences(); ++s) longest = std::max(longest, length(s));
}

void PackedLayout::draw_keys(std::uint64_t step_key, std::span<const std::uint64_t> sequence_keys) {
  at::Tensor keys = at::empty({tokens()}, at::kLong);
  auto* out = keys.data_ptr<std::int64_t>();
  for (std::int64_t s = 0; s < sequences(); ++s) {
    const std::uint64_t key = mix64(step_key ^ mix64(sequence_keys[static_cast<std::size_t>(s)]));
    for (std::int64_t position = 0; position < length(s); ++position) {
      *out++ = static_cast<std::int64_t>(mix64(key + static_cast<std::uint64_t>(position)));
    }
  }
  token_keys = keys.to(device);
}

at::Tensor PackedLayout::padded_rows() const {
  at::Tensor rows = at::full({sequences(), longest}, -1, at::kLong);
  auto* out = rows.data_ptr<std::int64_t>();
  for (std::int64_t s = 0; s < sequences(); ++s) {
    for (std::int64_t i = 0; i < length(s); ++i) {
      out[s * longest + i] = offsets[static_cast<std::size_t>(s)] + i;
    }
  }
  return rows.to(device);
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
  const at::Tensor keys = keys_.bitwise_xor(static_cast<std::int64_t>(site_)).unsqueeze(-1);
  return kept(keys, columns, threshold_).to(at::kFloat) * scale_;
}

at::Tensor Dropout::head_factors(std::int64_t heads, std::int64_t columns) const {
  std::vector<std::int64_t> sites;
  for (std::int64_t h = 0; h < heads; ++h) sites.push_back(static_cast<std::int64_t>(site_of_head(site_, h)));
  const at::Tensor per_head = at::tensor(sites, at::kLong).to(keys_.device());
  const at::Tensor keys = keys_.unsqueeze(-1).bitwise_xor(per_head).unsqueeze(-1);
  return kept(keys, columns, threshold_).to(at::kFloat) * scale_;
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
