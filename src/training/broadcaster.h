#pragma once
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "comm/communicator.h"
#include "io/host_array.h"
#include "tokenizers/identifier_table.h"
#include "training/checkpoint.h"

namespace genrec {

/// One member an element: each call broadcasts the root's value. Every rank makes the same calls in the same
/// order.
class Broadcaster {
 public:
  explicit Broadcaster(Communicator& world) : world_(world) {}

  template <typename T>
  requires std::is_trivially_copyable_v<T>
  void operator()(T& value) { world_.broadcast(std::as_writable_bytes(std::span(&value, 1)), 0); }
  void operator()(std::string& text) { world_.broadcast(text, 0); }
  void operator()(HostArray& array) {
    (*this)(array.type);
    world_.broadcast(array.shape, 0);
    world_.broadcast(array.bytes, 0);
  }
  /// As one text: lists may have tens of thousands of symbols.
  void operator()(std::vector<std::string>& values) {
    std::vector<std::int64_t> lengths;
    std::string joined;
    for (const std::string& value : values) {
      lengths.push_back(static_cast<std::int64_t>(value.size()));
      joined += value;
    }
    world_.broadcast(lengths, 0);
    (*this)(joined);
    values.clear();
    std::size_t at = 0;
    for (std::int64_t length : lengths) {
      values.push_back(joined.substr(at, static_cast<std::size_t>(length)));
      at += static_cast<std::size_t>(length);
    }
  }
  void operator()(WeightMap& weights) {
    std::vector<std::string> names;
    for (const auto& [name, array] : weights) names.push_back(name);
    (*this)(names);
    for (const std::string& name : names) (*this)(weights[name]);
  }
  void operator()(std::optional<OptimizerState>& optimizer) {
    bool present = optimizer.has_value();
    (*this)(present);
    if (!present) return;
    if (!optimizer) optimizer.emplace();
    (*this)(optimizer->step);
    (*this)(optimizer->exp_avg);
    (*this)(optimizer->exp_avg_sq);
  }
  void operator()(IdentifierTable& table) {
    std::vector<std::string> symbols = table.symbols();
    std::vector<std::int64_t> offsets = table.offsets();
    std::vector<SymbolId> codes = table.codes();
    (*this)(symbols);
    world_.broadcast(offsets, 0);
    world_.broadcast(codes, 0);
    if (!world_.is_root()) table = IdentifierTable(std::move(symbols), std::move(offsets), std::move(codes));
  }
  void operator()(std::vector<IdentifierTable>& tables) {
    std::uint64_t count = tables.size();
    (*this)(count);
    tables.resize(count);
    for (IdentifierTable& table : tables) (*this)(table);
  }

 private:
  Communicator& world_;
};

/// Gives every rank the root's values, field by field. Collective.
template <typename... Fields>
void broadcast_fields(Broadcaster broadcaster, Fields&... fields) {
  (broadcaster(fields), ...);
}

}  // namespace genrec
