#include "fixture.h"

#include <cmath>
#include <cstdio>

namespace genrec::parity {

void Errors::note(const std::string& what, double ours, double theirs) {
  const double error = std::abs(ours - theirs);
  double& largest = largest_[what];
  if (!(error <= largest)) largest = error;  // also takes a NaN
}

void Errors::fail(const std::string& what, const std::string& why) {
  largest_.try_emplace(what, 0);
  failures_.try_emplace(what, why);
}

bool Errors::report(const std::string& title, double limit) const {
  bool all = true;
  for (const auto& [what, error] : largest_) {
    const auto failure = failures_.find(what);
    const bool good = error <= limit && failure == failures_.end();
    all = all && good;
    std::printf("%-20s %-32s %.2e  %s%s\n", title.c_str(), what.c_str(), error, good ? "ok" : "FAILED ",
                failure == failures_.end() ? "" : failure->second.c_str());
  }
  return all && !largest_.empty();
}

namespace {

/// Packs the elements of a [rows, width] array that `used` accepts.
template <typename Used>
PackedSequences pack(const std::vector<std::int64_t>& values, std::int64_t width, Used used) {
  PackedSequences packed;
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (used(i)) packed.tokens.push_back(static_cast<TokenId>(values[i]));
    if ((i + 1) % static_cast<std::size_t>(width) == 0) packed.close_sequence();
  }
  return packed;
}

std::vector<std::int64_t> lengths(const PackedSequences& packed) {
  std::vector<std::int64_t> result;
  for (std::size_t s = 0; s + 1 < packed.offsets.size(); ++s) {
    result.push_back(packed.offsets[s + 1] - packed.offsets[s]);
  }
  return result;
}

}  // namespace

Fixture read_fixture(const Hdf5Reader& file, const std::string& group) {
  Fixture fixture;
  fixture.source_width = file.shape(group + "/input_ids").at(1);
  fixture.target_width = file.shape(group + "/labels").at(1);
  const std::vector<std::int64_t> ids = file.read_integers(group + "/input_ids");
  const std::vector<std::int64_t> mask = file.read_integers(group + "/attention_mask");
  const std::vector<std::int64_t> labels = file.read_integers(group + "/labels");
  fixture.batch.source = pack(ids, fixture.source_width, [&](std::size_t i) { return mask[i] == 1; });
  fixture.batch.target = pack(labels, fixture.target_width, [&](std::size_t i) { return labels[i] >= 0; });
  fixture.source_lengths = lengths(fixture.batch.source);
  fixture.target_lengths = lengths(fixture.batch.target);
  for (std::size_t s = 0; s < fixture.source_lengths.size(); ++s) fixture.batch.keys.push_back(s);
  return fixture;
}

}  // namespace genrec::parity
