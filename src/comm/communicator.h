#pragma once
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

namespace genrec {

/// A non-blocking collective under way; wait() must be called before the buffer is used or freed.
class PendingOperation {
 public:
  virtual ~PendingOperation() = default;
  virtual void wait() = 0;
  /// Gives the library a chance to make progress; true when done.
  virtual bool test() = 0;
};

/// Collectives over all ranks, on host memory. Every rank calls the same members in the same order; no member
/// has a rank-dependent early return. Sizes above 2^31 are cut into chunks inside.
class Communicator {
 public:
  virtual ~Communicator() = default;
  [[nodiscard]] virtual int rank() const = 0;
  [[nodiscard]] virtual int size() const = 0;
  [[nodiscard]] bool is_root() const { return rank() == 0; }

  virtual void barrier() = 0;
  virtual void broadcast(std::span<std::byte> data, int root) = 0;
  virtual void all_reduce_sum(std::span<float> data) = 0;
  virtual void all_reduce_sum(std::span<double> data) = 0;
  virtual void all_reduce_sum(std::span<std::int64_t> data) = 0;
  virtual void all_reduce_max(std::span<std::int64_t> data) = 0;
  virtual void all_reduce_max(std::span<double> data) = 0;
  /// Starts a sum over ranks in place.
  [[nodiscard]] virtual std::unique_ptr<PendingOperation> start_all_reduce_sum(std::span<float> data) = 0;
  /// Every rank's bytes, in rank order, on every rank.
  [[nodiscard]] virtual std::vector<std::vector<std::byte>> all_gather(std::span<const std::byte> mine) = 0;
  /// Sends every rank's bytes to the root in chunks of at most `chunk_bytes`; the root's `sink(rank, bytes)`
  /// is called rank by rank in order, so the root never holds more than one chunk beside what the sink keeps.
  /// A rank without bytes causes no call.
  virtual void gather_chunks(std::span<const std::byte> mine, int root, std::size_t chunk_bytes,
                             const std::function<void(int rank, std::span<const std::byte>)>& sink) = 0;

  // Conveniences on top of the members above.
  template <typename T>
  void broadcast(std::vector<T>& values, int root) {
    static_assert(std::is_trivially_copyable_v<T>);
    std::int64_t count = static_cast<std::int64_t>(values.size());
    broadcast(std::as_writable_bytes(std::span(&count, 1)), root);
    values.resize(static_cast<std::size_t>(count));
    broadcast(std::as_writable_bytes(std::span(values)), root);
  }
  void broadcast(std::string& text, int root);
  [[nodiscard]] double sum(double value);
  [[nodiscard]] std::int64_t sum(std::int64_t value);
  [[nodiscard]] std::int64_t max(std::int64_t value);
  [[nodiscard]] std::int64_t min(std::int64_t value);
  /// True on every rank when it is true on any.
  [[nodiscard]] bool any(bool mine);
  /// Throws an internal Error on every rank unless all ranks hold the same text; `what` names it in the
  /// message.
  void require_equal(const std::string& mine, const std::string& what);
};

/// A world of one: no library is called.
std::unique_ptr<Communicator> make_single_communicator();

}  // namespace genrec
