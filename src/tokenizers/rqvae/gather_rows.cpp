#include "tokenizers/rqvae/gather_rows.h"

#include <algorithm>
#include <cstddef>
#include <span>
#include <vector>

namespace genrec {
namespace {

std::span<std::byte> bytes_of(const at::Tensor& host) {
  return {static_cast<std::byte*>(host.data_ptr()), static_cast<std::size_t>(host.nbytes())};
}

}  // namespace

GatheredRows gather_rows(const at::Tensor& mine, Communicator& world) {
  if (world.size() == 1) return {mine, 0};
  const at::Tensor host = mine.cpu().contiguous();
  const std::vector<std::vector<std::byte>> parts = world.all_gather(bytes_of(host));
  const auto row_bytes = static_cast<std::size_t>(mine.size(1)) * mine.element_size();
  std::size_t total = 0;
  GatheredRows result;
  for (std::size_t rank = 0; rank < parts.size(); ++rank) {
    if (rank == static_cast<std::size_t>(world.rank())) {
      result.first_own = static_cast<std::int64_t>(total / row_bytes);
    }
    total += parts[rank].size();
  }
  const at::Tensor all =
      at::empty({static_cast<std::int64_t>(total / row_bytes), mine.size(1)}, host.options());
  std::span<std::byte> rest = bytes_of(all);
  for (const auto& part : parts) {
    std::copy(part.begin(), part.end(), rest.begin());
    rest = rest.subspan(part.size());
  }
  result.rows = all.to(mine.device());
  return result;
}

void broadcast_tensor(const at::Tensor& values, Communicator& world) {
  if (world.size() == 1) return;
  const at::Tensor host = values.cpu().contiguous();
  world.broadcast(bytes_of(host), 0);
  if (!world.is_root()) values.copy_(host);
}

void sum_over_ranks(const at::Tensor& values, Communicator& world) {
  if (world.size() == 1) return;
  const at::Tensor host = values.cpu().contiguous();
  world.all_reduce_sum(std::span(host.data_ptr<double>(), static_cast<std::size_t>(host.numel())));
  values.copy_(host);
}

}  // namespace genrec
