#include "comm/communicator.h"

#include <algorithm>
#include <stdexcept>

namespace genrec {
namespace {

class NothingPending : public PendingOperation {
 public:
  void wait() override {}
  bool test() override { return true; }
};

class SingleCommunicator : public Communicator {
 public:
  [[nodiscard]] int rank() const override { return 0; }
  [[nodiscard]] int size() const override { return 1; }
  void barrier() override {}
  void broadcast(std::span<std::byte>, int) override {}
  void all_reduce_sum(std::span<float>) override {}
  void all_reduce_sum(std::span<double>) override {}
  void all_reduce_sum(std::span<std::int64_t>) override {}
  void all_reduce_max(std::span<std::int64_t>) override {}
  void all_reduce_max(std::span<double>) override {}
  std::unique_ptr<PendingOperation> start_all_reduce_sum(std::span<float>) override {
    return std::make_unique<NothingPending>();
  }
  std::vector<std::vector<std::byte>> all_gather(std::span<const std::byte> mine) override {
    return {std::vector<std::byte>(mine.begin(), mine.end())};
  }
  void gather_chunks(std::span<const std::byte> mine, int, std::size_t chunk_bytes,
                     const std::function<void(int, std::span<const std::byte>)>& sink) override {
    if (chunk_bytes == 0) throw std::invalid_argument("gather_chunks: chunks of 0 bytes");
    for (std::size_t begin = 0; begin < mine.size(); begin += chunk_bytes) {
      sink(0, mine.subspan(begin, std::min(chunk_bytes, mine.size() - begin)));
    }
  }
};

}  // namespace

void Communicator::broadcast(std::string& text, int root) {
  std::vector<char> bytes(text.begin(), text.end());
  broadcast(bytes, root);
  text.assign(bytes.begin(), bytes.end());
}

double Communicator::sum(double value) {
  all_reduce_sum(std::span(&value, 1));
  return value;
}

std::int64_t Communicator::sum(std::int64_t value) {
  all_reduce_sum(std::span(&value, 1));
  return value;
}

std::int64_t Communicator::max(std::int64_t value) {
  all_reduce_max(std::span(&value, 1));
  return value;
}

std::int64_t Communicator::min(std::int64_t value) {
  // Unlike -x, ~x turns the order round for every value.
  return ~max(~value);
}

bool Communicator::any(bool mine) {
  return max(static_cast<std::int64_t>(mine)) != 0;
}

void Communicator::require_equal(const std::string& mine, const std::string& what) {
  std::string reference = mine;
  broadcast(reference, 0);
  const bool differs = reference != mine;
  const std::int64_t first = min(differs ? rank() : size());
  if (first == size()) return;
  throw std::runtime_error(what + " differs between ranks: rank 0 and rank " + std::to_string(first) +
                           " hold different values" + (differs ? " ('" + mine + "' here)" : ""));
}

std::unique_ptr<Communicator> make_single_communicator() {
  return std::make_unique<SingleCommunicator>();
}

}  // namespace genrec
