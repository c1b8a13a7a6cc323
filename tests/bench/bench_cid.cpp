// CID on a large catalogue: counting pairs, clustering, numbering. Histories are drawn by topic: a user has
// two neighbouring topics and takes the front items of each more often; every tenth item comes from anywhere.
// Before the clock starts, a smaller catalogue is tokenized and its topics are looked for in the first
// symbols.
//
//   bench_cid [--items 1000000] [--interactions 20000000] [--token-size 1000] [--clusters 20] [--threads 2]
#include <ATen/Parallel.h>

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <span>
#include <string>
#include <vector>

#include "base/random.h"
#include "bench/bench.h"
#include "comm/communicator.h"
#include "nn/memory.h"
#include "tokenizers/cid/cid_tokenizer.h"

namespace {

using namespace genrec;

constexpr std::int64_t kItemsOfTopic = 200, kHistory = 10;

/// Topic t has the places t * kItemsOfTopic and on; `item_at` shuffles them, so that ids say nothing.
class Topics {
 public:
  explicit Topics(std::int64_t items) : item_at_(static_cast<std::size_t>(items)) {
    std::iota(item_at_.begin(), item_at_.end(), 0);
    RandomStream(1, Purpose::kSynthetic).shuffle(std::span(item_at_));
  }

  [[nodiscard]] Dataset dataset(std::int64_t interactions) const {
    Dataset dataset;
    dataset.catalogue.titles.resize(item_at_.size());
    dataset.catalogue.descriptions.resize(item_at_.size());
    dataset.interactions.offsets = {0};
    for (UserId user = 0; user < interactions / kHistory; ++user) {
      append_history(user, dataset.interactions.items);
      dataset.interactions.users.push_back(user);
      dataset.interactions.offsets.push_back(static_cast<std::int64_t>(dataset.interactions.items.size()));
    }
    dataset.lengths.assign(dataset.interactions.users.size(), kHistory);
    dataset.interaction_count = interactions;
    return dataset;
  }

  /// The share of neighbours within a topic whose identifiers begin alike.
  [[nodiscard]] double kept_together(const IdentifierTable& table) const {
    std::int64_t alike = 0, pairs = 0;
    for (std::size_t place = 1; place < item_at_.size(); ++place) {
      if (static_cast<std::int64_t>(place) % kItemsOfTopic == 0) continue;
      alike += table.of(item_at_[place - 1]).front() == table.of(item_at_[place]).front() ? 1 : 0;
      ++pairs;
    }
    return static_cast<double>(alike) / static_cast<double>(pairs);
  }

 private:
  void append_history(UserId user, std::vector<ItemId>& items) const {
    RandomStream random(2, Purpose::kSynthetic, {static_cast<std::uint64_t>(user)});
    const auto places = static_cast<std::uint64_t>(item_at_.size());
    const std::uint64_t topics = places / kItemsOfTopic;
    const std::uint64_t first = random.below(topics), second = (first + 1 + random.below(3)) % topics;
    for (std::int64_t i = 0; i < kHistory; ++i) {
      const double place = random.uniform();
      const std::uint64_t topic = random.below(10) < 7 ? first : second;
      const auto inside = static_cast<std::uint64_t>(kItemsOfTopic * place * place);
      const std::uint64_t chosen =
          random.below(10) == 0 ? random.below(places) : topic * kItemsOfTopic + inside;
      items.push_back(item_at_[chosen]);
    }
  }

  std::vector<ItemId> item_at_;
};

struct Fit {
  double seconds = 0;
  double kept_together = 0;
  std::int64_t longest = 0;
};

Fit fit(std::int64_t items, std::int64_t interactions, const CidOptions& cid) {
  const Topics topics(items);
  const Dataset dataset = topics.dataset(interactions);
  const auto world = make_single_communicator();
  const Stopwatch watch;
  const IdentifierTable table = CidTokenizer(cid, 42).fit(dataset, *world);
  Fit result{.seconds = watch.seconds(),
             .kept_together = topics.kept_together(table),
             .longest = table.max_length()};
  bench::require(table.distinct() == items, "items share an identifier");
  return result;
}

Json run(const bench::Options& options) {
  at::set_num_threads(bench::number(options, "--threads"));
  const CidOptions cid{.token_size = bench::number(options, "--token-size"),
                       .clusters = bench::number(options, "--clusters")};
  const Fit small = fit(10'000, 200'000, {.token_size = 500, .clusters = 20});
  bench::require(small.kept_together > 0.5, std::string("neighbours of a topic begin alike too rarely: ")
                                                .append(std::to_string(small.kept_together)));
  const std::int64_t items = std::stoll(options.at("--items"));
  const std::int64_t interactions = std::stoll(options.at("--interactions"));
  const Fit large = fit(items, interactions, cid);
  return {{"items", items},
          {"interactions", interactions},
          {"seconds", large.seconds},
          {"kept_together", large.kept_together},
          {"longest_identifier", large.longest},
          {"threads", bench::number(options, "--threads")},
          {"peak_rss_bytes", peak_memory_bytes()}};
}

}  // namespace

int main(int argc, char** argv) {
  return genrec::bench::run("cid", [&] {
    return run(genrec::bench::arguments(argc, argv,
                                        {{"--items", "1000000"},
                                         {"--interactions", "20000000"},
                                         {"--token-size", "1000"},
                                         {"--clusters", "20"},
                                         {"--threads", "2"}}));
  });
}
